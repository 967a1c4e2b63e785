"""Everything one running center holds: settings, database, evidence, keys, the tail of its log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import HTTPException, Request
from sqlalchemy import Engine, insert, select, update

from inspection_center.auth.secrets import load_signing_key
from inspection_center.blobs import BlobStore, FileBlobStore
from inspection_center.clock import now_text
from inspection_center.commands.doorbell import Doorbells
from inspection_center.database import schema
from inspection_center.database.engine import open_engine, prepare
from inspection_center.database.writer import StorageError, Transaction, Writer
from inspection_center.exchange.partners import read_partners
from inspection_center.fanout import Fanout
from inspection_center.live import Camera, LivePictures
from inspection_center.personal import Vault
from inspection_center.plan.floor_plan import read_floor_plan
from inspection_center.risk.versions import install_models
from inspection_center.settings import Settings
from inspection_center.supervision.following import Supervision
from inspection_center.tail import Tail
from inspection_center.uploads import Uploads
from inspection_center.watchlist import seal_clear_entries
from inspection_contract.errors import InputError
from inspection_contract.signatures import SigningKey

if TYPE_CHECKING:
    from inspection_center.auth.oidc import OidcProvider

T = TypeVar("T")
DATABASE_FILE = "center.db"
KEY_FILE = "signing.key"


class Center:
    """The parts of a center over one state folder.

    Raises:
        InputError: the state folder, database or key cannot be used.
    """

    def __init__(self, state: Path, settings: Settings) -> None:
        self.state = state
        self.settings = settings
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(state, f"cannot be the state folder: {error.strerror}") from error
        self.floor_plan = read_floor_plan(Path(settings.floor_plan)) if settings.floor_plan else None
        self.engine = open_database(state, settings)
        self.key: SigningKey = load_signing_key(state / KEY_FILE)
        self.vault = Vault(self.key)
        self.oidc = _oidc_provider(settings, self.key)
        self.partners = read_partners(Path(settings.exchange) if settings.exchange else None, self.key)
        self.blobs = _blob_store(state, settings)
        self.uploads = Uploads(state / "uploads")
        self.writer = Writer(self.engine)
        self.writer.run(lambda transaction: seal_clear_entries(transaction, self.vault))
        self.supervision = Supervision.open(self.engine, self.writer, settings.supervision)
        self.tail = Tail(self.engine)
        self.doorbells = Doorbells()
        self.live = LivePictures()
        self.fanout = Fanout(self, settings.nats_url) if settings.nats_url else None

    async def write(self, job: Callable[[Transaction], T]) -> T:
        """Run a job on the writer and wait for its commit.

        Raises:
            StorageError: the database cannot take it now.
        """
        return await asyncio.wrap_future(self.writer.submit(job))

    async def start(self) -> None:
        """Bring the shipped risk models in and begin to tell news; called inside the running loop."""
        await self.write(install_models)
        self.doorbells.start()
        await self.tail.start()
        if self.fanout is not None:
            await self.fanout.start()

    async def stop(self) -> None:
        """Let every listener go."""
        await asyncio.to_thread(self.supervision.close)
        await self.tail.stop()
        self.doorbells.close()
        if self.fanout is not None:
            await self.fanout.stop()

    def ring(self, name: str) -> None:
        """Wake those who wait for a robot's commands or for the alert queue, here and at the other instances."""
        self.doorbells.ring(name)
        if self.fanout is not None:
            self.fanout.tell_bell(name)

    def tell_events(self) -> None:
        """Events were stored: wake the listeners here and at the other instances."""
        self.tail.wake()
        if self.fanout is not None:
            self.fanout.tell_events()

    def show(self, robot: str, camera: Camera, picture: bytes) -> bool:
        """Keep a live picture, here and at the other instances; False when it is no JPEG."""
        kept = self.live.put(robot, camera, picture)
        if kept and self.fanout is not None:
            self.fanout.tell_picture(robot, camera, picture)
        return kept

    def close(self) -> None:
        """Finish what is queued and let the database go."""
        self.writer.close()
        self.engine.dispose()

    async def check(self) -> None:
        """Really write to the database and to the evidence store.

        Raises:
            StorageError: one of them does not take writes.
        """
        await self.write(_write_probe)
        await asyncio.to_thread(self.blobs.check)


def open_database(state: Path, settings: Settings) -> Engine:
    """The database of a center, with its tables."""
    url = settings.database_url or f"sqlite:///{state / DATABASE_FILE}"
    engine = open_engine(url)
    prepare(engine, settings.database_url.split("@")[-1] or state / DATABASE_FILE)
    return engine


def center_of(request: Request) -> Center:
    """The center that serves a request."""
    center = request.app.state.center
    assert isinstance(center, Center)
    return center


def unavailable(error: StorageError) -> HTTPException:
    """How a storage fault is told: try again, nothing was stored."""
    return HTTPException(503, f"storage: {error}", headers={"Retry-After": "1"})


def _write_probe(transaction: Transaction) -> None:
    values: dict[str, Any] = {"value": now_text()}
    setting = schema.setting
    changed = transaction.connection.execute(update(setting).where(setting.c.name == "readiness").values(**values))
    if changed.rowcount == 0:
        transaction.connection.execute(insert(setting).values(name="readiness", **values))


def read_setting(engine: Engine, name: str) -> str | None:
    """A single value."""
    with engine.connect() as connection:
        return connection.execute(select(schema.setting.c.value).where(schema.setting.c.name == name)).scalar()


def _oidc_provider(settings: Settings, key: SigningKey) -> OidcProvider | None:
    if settings.oidc is None:
        return None
    from inspection_center.auth.oidc import OidcProvider  # as with S3: only where it is wanted

    return OidcProvider(settings.oidc, key)


def _blob_store(state: Path, settings: Settings) -> BlobStore:
    """Evidence in files, or in S3 where that is configured."""
    if settings.s3 is None:
        return FileBlobStore(state / "evidence")
    from inspection_center.s3 import S3BlobStore  # half a second of start-up that centers with files never need

    return S3BlobStore(settings.s3)
