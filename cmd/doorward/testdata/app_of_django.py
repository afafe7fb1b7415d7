"""Makes db.sqlite3 in the working folder with Django's own auth_user: dana, and ben, who is not active. With an
argument there is carol, too, who has no password."""
import sys

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
User.objects.create_user("dana", "dana@example.com", "dana's old password")
User.objects.create_user("ben", "ben@example.com", "ben's old password", is_active=False)
if sys.argv[1:]:
    User.objects.create_user("carol", "carol@example.com")
