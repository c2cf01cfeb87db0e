"""Challenge arithmetic of the MT5 Web API, both ends against the published vector."""

from __future__ import annotations

import hashlib

import pytest

from integrations.adapters.mt5_webapi import auth
from integrations.simulators.mt5_webapi.challenge import Secret, fresh_random

# Published by an independent client of the same protocol.
PASSWORD = "Password1"
CHALLENGE = "73007dc7184747ce0f7c98516ef1c851"
ANSWER = "77fe51827f7fa69dd80fbec9aa33f1bb"


def test_client_gives_the_published_answer():
    assert auth.answer(auth.password_hash(PASSWORD), CHALLENGE) == ANSWER


def test_simulator_gives_the_published_answer():
    assert Secret(PASSWORD).response(CHALLENGE) == ANSWER


def test_upper_case_challenge_is_the_same_challenge():
    assert auth.answer(auth.password_hash(PASSWORD), CHALLENGE.upper()) == ANSWER


def test_hashing_hex_instead_of_bytes_is_another_answer():
    hashed = hashlib.md5(PASSWORD.encode("utf-16-le")).hexdigest()
    hashed = hashlib.md5((hashed + "WebAPI").encode()).hexdigest()
    assert hashlib.md5((hashed + CHALLENGE).encode()).hexdigest() != ANSWER


@pytest.mark.parametrize("password", ["", "pässwörd", "Пароль", "密码🔑", "x" * 200])
def test_both_ends_agree_on_any_password(password):
    challenge = fresh_random()
    assert auth.answer(auth.password_hash(password), challenge) == Secret(password).response(challenge)


def test_proof_of_the_server():
    hashed = auth.password_hash(PASSWORD)
    assert auth.proves(hashed, CHALLENGE, ANSWER)
    assert auth.proves(hashed, CHALLENGE, ANSWER.upper())
    assert not auth.proves(hashed, CHALLENGE, ANSWER[:-1] + "c")
    assert not auth.proves(auth.password_hash("Password2"), CHALLENGE, ANSWER)


@pytest.mark.parametrize("given", [None, "", 5, ANSWER[:-1], ANSWER + "0", "z" * 32, [ANSWER]])
def test_what_is_no_proof_proves_nothing(given):
    assert not auth.proves(auth.password_hash(PASSWORD), CHALLENGE, given)
    assert not auth.is_challenge(given) or given == ANSWER
