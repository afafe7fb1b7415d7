"""An API of Django REST framework with Simple JWT as its documentation has it: tokens name a user by their number. It makes
db.sqlite3 in the working folder, with olga before dana, and answers at $PORT."""
import os
from wsgiref.simple_server import make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=open("app-secret").read().strip(),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)
django.setup()
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import api_view, permission_classes  # noqa: E402
from rest_framework.permissions import AllowAny  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework_simplejwt.views import TokenObtainPairView  # noqa: E402


@api_view()
def whoami(request):
    return Response({"id": request.user.pk, "username": request.user.username})


@api_view()
@permission_classes([AllowAny])
def index(request):
    return Response({})


urlpatterns = [path("", index), path("whoami", whoami), path("api/token/", TokenObtainPairView.as_view())]

call_command("migrate", verbosity=0)
User.objects.create_superuser("olga", "olga@example.com", "olga's old password")
User.objects.create_user("dana", "dana@example.com", "dana's old password")
make_server("127.0.0.1", int(os.environ["PORT"]), get_wsgi_application()).serve_forever()
