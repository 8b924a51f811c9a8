"""How the admin writes moments: to the second, as the log does, so that the two can be laid side by side."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
