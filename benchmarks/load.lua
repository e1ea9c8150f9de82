-- Sends the requests of a file in turn, each thread from its own place; `~KEY~` becomes a key that
-- no other request has. Says at the end what came of it, in one line.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  requests, keyed, sent = {}, {}, 0
  local file = assert(io.open(args[1], "rb"))
  for one in (file:read("*a")):gmatch("(.-)\n%%%%\n") do
    requests[#requests + 1] = one
    keyed[#requests] = one:find("~KEY~", 1, true) ~= nil
  end
  file:close()
  prefix = args[2] .. "-" .. number .. "-"
  at = math.floor(number * #requests / 2)
end

function request()
  at, sent = at % #requests + 1, sent + 1
  if keyed[at] then
    return (requests[at]:gsub("~KEY~", prefix .. sent))
  end
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors))
end
