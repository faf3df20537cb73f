"""Who is measured: each as something that is made ready, started, and looked at."""
