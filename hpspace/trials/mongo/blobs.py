"""Bytes of any size, in GridFS, laid out as Hyperopt lays them out.

A trial's attachment is a file named ``<_id of the trial>_<name>``, to which the list ``_attachments`` of its document
points. Everything else is a file with its plain name and the field ``exp_key``. New bytes are written whole before
anything points to them, and old ones go afterwards: at no moment is there nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hpspace.trials.attachments import attachment_name
from hpspace.trials.mongo import moves
from hpspace.trials.mongo.connect import Document, Link, patient

if TYPE_CHECKING:
    from bson import ObjectId
    from gridfs import GridFS
    from pymongo.collection import Collection

#: A trial's attachment among the names of a store; and among the files.
_OF_TRIAL = re.compile(r"ATTACH::(\d+)::(.*)", re.DOTALL)
_OF_DOCUMENT = re.compile(r"[0-9a-f]{24}_")
WITH_FILES: Mapping[str, Any] = {"_attachments.0": {"$exists": True}}

#: Bytes of a piece in which GridFS cuts a file up.
PIECE = 1 << 20
#: How often to look again for bytes that are being replaced.
TRIES = 3


class Blobs:
    """The files of all experiments of a database.

    Parameters
    ----------
    link : Link
        The database.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def _jobs(self) -> Collection[Document]:
        return self._link.database[self._link.url.collection]

    @property
    def _files(self) -> Collection[Document]:
        return self._link.database["fs.files"]

    @property
    def _grid(self) -> GridFS:
        from gridfs import GridFS

        return GridFS(self._link.database)

    # -- by name -------------------------------------------------------------------------------------------

    @patient
    def put(self, exp_key: str | None, name: str, data: bytes) -> None:
        """Keep bytes under a name, in place of what was there."""
        trial = self._trial(exp_key, name)
        if trial is None:
            old = self._plain(exp_key, name)
            self.write(data, exp_key, name)
            self.remove(old)
        else:
            short = _short(name)
            new = self.write(data, None, f"{trial['_id']}_{short}")
            before = self._jobs.find_one_and_update({"_id": trial["_id"]}, moves.attached(short, new))
            self.remove([new] if before is None else attached(before, short))

    @patient
    def get(self, exp_key: str | None, name: str) -> bytes:
        """Return the bytes of a name; KeyError if there are none."""
        from gridfs.errors import GridFSError

        for _ in range(TRIES):
            with contextlib.suppress(GridFSError):  # replaced since we looked
                return self.read(self._found(exp_key, name)[-1])
        return self.read(self._found(exp_key, name)[-1])

    @patient
    def delete(self, exp_key: str | None, name: str) -> None:
        """Remove a name and its bytes; KeyError if there are none."""
        found = self._found(exp_key, name)
        trial = self._trial(exp_key, name)
        if trial is not None:
            self._jobs.update_one({"_id": trial["_id"]}, moves.detached(_short(name)))
        self.remove(found)

    @patient
    def names(self, exp_key: str | None, prefix: str = "") -> list[str]:
        """Return the names that begin with a prefix, in order."""
        plain = self._files.find({"exp_key": exp_key, "domain": {"$ne": True}}, {"filename": True})
        names = {file["filename"] for file in plain if not _OF_DOCUMENT.match(file["filename"])}
        match = _OF_TRIAL.match(prefix)
        tids = {"tid": int(match[1])} if match else {}
        docs = self._jobs.find(
            {"exp_key": exp_key, **tids, **WITH_FILES}, {"tid": True, "_attachments": True}
        )
        for doc in docs:
            names.update(attachment_name(doc["tid"], pair[0]) for pair in doc["_attachments"])
        return sorted(name for name in names if name.startswith(prefix))

    def _found(self, exp_key: str | None, name: str) -> list[ObjectId]:
        """Return the files of a name, the newest last."""
        trial = self._trial(exp_key, name)
        found = [] if trial is None else attached(trial, _short(name))
        found = found or self._plain(exp_key, name)
        if not found:
            raise KeyError(name)
        return found

    def _plain(self, exp_key: str | None, name: str) -> list[ObjectId]:
        files = self._files.find({"filename": name, "exp_key": exp_key}, {"_id": True})
        return [file["_id"] for file in files.sort("uploadDate", 1)]

    def _trial(self, exp_key: str | None, name: str) -> Document | None:
        """Return the document of the trial whose attachment a name is, if there is one."""
        match = _OF_TRIAL.match(name)
        if match is None:
            return None
        return self._jobs.find_one({"tid": int(match[1]), "exp_key": exp_key}, {"_attachments": True})

    def exp_keys(self) -> set[str | None]:
        """Return the experiments that have files to which no trial points."""
        files = self._files.find({}, {"exp_key": True, "filename": True})
        return {file.get("exp_key") for file in files if not _OF_DOCUMENT.match(file["filename"])}

    def of_experiments(self, exp_keys: Iterable[str | None]) -> list[ObjectId]:
        """Return the files of experiments, those of their objectives too, to which no trial points."""
        files = self._files.find({"exp_key": {"$in": list(exp_keys)}}, {"filename": True})
        return [file["_id"] for file in files if not _OF_DOCUMENT.match(file["filename"])]

    # -- by id ---------------------------------------------------------------------------------------------

    def write(self, data: bytes, exp_key: str | None, filename: str, **fields: Any) -> ObjectId:
        """Write a file, of an experiment or of none, and return its id."""
        experiment = (
            {} if exp_key is None else {"exp_key": exp_key}
        )  # where Hyperopt has no field, neither have we
        new: ObjectId = self._grid.put(
            bytes(data), chunk_size=PIECE, filename=filename, **experiment, **fields
        )
        return new

    def read(self, file_id: ObjectId) -> bytes:
        """Return the bytes of a file."""
        data: bytes = self._grid.get(file_id).read()
        return data

    def remove(self, file_ids: Iterable[ObjectId]) -> None:
        """Remove files, if they are there."""
        for file_id in file_ids:
            self._grid.delete(file_id)


def attached(doc: Mapping[str, Any], name: str | None = None) -> list[Any]:
    """Return the files that a document points to, all or those of a name."""
    return [pair[1] for pair in doc.get("_attachments") or () if name in (None, pair[0])]


def _short(name: str) -> str:
    """Return the name that an attachment has in its trial."""
    match = _OF_TRIAL.match(name)
    return match[2] if match else name
