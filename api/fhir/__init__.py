"""Door 2: FHIR R4 for EHR systems; a file bears the name of the FHIR type it translates to."""
