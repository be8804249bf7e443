"""Every table, for whoever writes rows or walks over the schema.

Tables refer to each other by name. To make them all is a tenth of a start, so who only reads makes
those alone that it reads from.
"""

import models.account
import models.codes
import models.contacts
import models.history
import models.mail
import models.outbox
import models.queue
import models.schedule
import models.work  # noqa: F401 - to import them makes their tables
from models.base import Row

TABLES = Row.metadata
