import pytest

from lsp_server.index.secrets import holds_secret, is_secret_name

BODY = "MIIEpAIBAAKCAQEAx5cKq1uDNVJ8"


@pytest.mark.parametrize(
    "path",
    [
        ".env", ".ENV.local", "prod.Env", "Secrets.json", "config/SECRETS.YAML", "Credentials.JSON", "server.PEM",
        "ID_RSA", "a/Client_Secret_1.json", "app-Secret.yml", "appsettings.Secrets.json", "x/.aws/config",
        "Prod.TfVars", "C:\\keys\\Server.Key", ".SSH/config",
    ],
)  # fmt: skip
def test_names_of_secrets_whatever_their_case(path: str) -> None:
    assert is_secret_name(path)


@pytest.mark.parametrize(
    "path", ["secrets.py", "credentials/store.py", "environment.ts", "key.go", "src/env/load.py", ""]
)
def test_code_about_secrets_is_code(path: str) -> None:
    assert not is_secret_name(path)


@pytest.mark.parametrize(
    "text",
    [
        f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----\n",
        f"KEY = '''-----BEGIN PRIVATE KEY-----\n{BODY}\n'''\n",
        f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{BODY}\\n"}}',
        f'const key = "-----BEGIN EC PRIVATE KEY-----\\n" +\n    "{BODY}\\n";',
        f"x\n-----BEGIN OPENSSH PRIVATE KEY-----\n{BODY}\n",
        f"x\n-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{BODY}\n",
        f"x\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{BODY}\n",
        f"\n-----BEGIN CERTIFICATE-----\n{BODY}\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\n",
        "# age\nAGE-SECRET-KEY-1QQPQZR2J3K4L5M6N7P8Q9\n",
        '{"kty": "RSA", "d": "' + "Ab_-" * 12 + '"}',
    ],
)
def test_private_keys_in_texts_of_any_kind(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def is_key(text):\n    return text.startswith('-----BEGIN RSA PRIVATE KEY-----')\n",
        "BEGIN = '-----BEGIN PRIVATE KEY-----'\nEND = '-----END PRIVATE KEY-----'\n"
        + "x = 'abcdefghijklmnopqrstuvwxyz'\n",
        "# The PRIVATE KEY is elsewhere\n",
        f"PUBLIC = '''-----BEGIN PUBLIC KEY-----\n{BODY}\n'''\n",
    ],
)
def test_code_about_keys_is_code(text: str) -> None:
    assert not holds_secret(text)
