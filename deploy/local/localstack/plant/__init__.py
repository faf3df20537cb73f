"""The demo plant in the ERP: built and worked in through its API, as its users would."""
