"""The formats that tracks come in, read record by record: GPX, GeoJSON, CSV, OwnTracks Recorder."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.parsers import expat

import orjson

from tenants.gathering import LABELS, OWNERS, POINT, Gathering, plain

HDOP_M: Final = 5.0  # what a phone's receiver is good to at HDOP 1, roughly
SLICE: Final = 1 << 20

TIME: Final = ("time", "timestamp", "datetime", "recordedat", "tst", "waktu", "fixtime")
LON: Final = ("lon", "lng", "long", "longitude", "bujur")
LAT: Final = ("lat", "latitude", "lintang")
ACCURACY: Final = ("accuracy", "horizontalaccuracy", "acc", "akurasi")
BATTERY: Final = ("battery", "batterylevel", "batt")
MOCK: Final = ("mock", "ismock")


def lines(data: bytes, into: Gathering) -> Iterator[str]:
    """The lines of a text in UTF-8, with their ends."""
    buffer = io.BytesIO(data)
    for number, line in enumerate(buffer, 1):
        if number % 50_000 == 0:
            into.reached(buffer.tell())
        try:
            yield line.decode()
        except UnicodeDecodeError:
            into.refuse("bukan teks UTF-8", "is no UTF-8 text", number)


def read_csv(data: bytes, into: Gathering) -> None:
    """CSV with a header; commas, semicolons or tabs between, decimal commas where they can be."""
    first = data.partition(b"\n")[0]
    delimiter = max(b",", b";", b"\t", key=first.count).decode()
    rows = csv.reader(lines(data, into), delimiter=delimiter)
    try:
        header = next(rows)
        names = [plain(name) for name in header]
        time, *numbers = [
            _index(names, those) for those in (TIME, LON, LAT, ACCURACY, MOCK, BATTERY)
        ]
        if time is None or None in numbers[:2]:
            into.refuse(
                "bukan GPX, GeoJSON, OwnTracks .rec atau CSV dengan kolom time, lon, lat",
                "is no GPX, GeoJSON, OwnTracks .rec or CSV with columns time, lon, lat",
                1,
            )
        owners = [i for i, name in enumerate(names) if name in OWNERS]
        for row in rows:
            place = rows.line_num
            if row == header:
                into.skip(place, "judul kolom lagi", "is the header again")
                continue
            if len(row) != len(names):
                if not any(row):
                    continue
                if len(row) < len(names) or any(row[len(names) :]):
                    into.skip(place, "jumlah kolomnya lain", "has another number of columns")
                    continue
            lon, lat, accuracy, mock, battery = (
                None if i is None else row[i].strip().replace(",", ".") for i in numbers
            )
            moment = into.add(
                place,
                0,
                time=row[time].strip(),
                lon=lon,
                lat=lat,
                accuracy=accuracy,
                mock=mock,
                battery=battery,
            )
            for i in owners:
                into.owner(place, moment, names[i], row[i])
    except csv.Error:
        into.refuse("CSV rusak", "is broken CSV", rows.line_num)


def _index(names: list[str], aliases: tuple[str, ...]) -> int | None:
    return next((names.index(alias) for alias in aliases if alias in names), None)


def read_rec(data: bytes, into: Gathering) -> None:
    """The Recorder's `time TAB * TAB json`, in order of receipt; a user may have two devices."""
    into.ordered = False
    devices: dict[str, int] = {}
    for place, line in enumerate(lines(data, into), 1):
        if not line.strip():
            continue
        parts = line.split("\t", 2)
        if len(parts) != 3:
            into.skip(place, "bukan baris OwnTracks Recorder", "is no line of OwnTracks Recorder")
            continue
        if parts[1].strip() != "*":
            continue
        try:
            said = orjson.loads(parts[2])
        except orjson.JSONDecodeError:
            into.skip(place, "JSON rusak", "is broken JSON")
            continue
        if not isinstance(said, dict):
            into.skip(place, "bukan objek JSON", "is no JSON object")
            continue
        if said.get("_type") != "location":
            continue
        topic = str(said.get("topic", "")).split("/")
        owners, device = _owners(_named(said)), ""
        if len(topic) >= 3:
            owners, device = {"topic": topic[1]}, topic[2]
        moment = into.add(
            place,
            devices.setdefault(device, len(devices)),
            time=said.get("tst"),
            lon=said.get("lon"),
            lat=said.get("lat"),
            accuracy=said.get("acc"),
            battery=_percent(said.get("batt")),
        )
        for key, value in owners.items():
            into.owner(place, moment, key, value)


def _percent(value: object) -> object:
    return value / 100 if isinstance(value, int | float) else value


def _named(properties: object) -> dict[str, Any]:
    """What an object says, by plain names."""
    if not isinstance(properties, dict):
        return {}
    return {plain(key): value for key, value in properties.items() if value is not None}


def _owners(named: Mapping[str, Any]) -> dict[str, Any]:
    return {key: named[key] for key in OWNERS & named.keys()}


def _first(named: Mapping[str, Any], aliases: tuple[str, ...]) -> Any:
    return next((named[alias] for alias in aliases if alias in named), None)


def read_geojson(data: bytes, into: Gathering) -> None:
    """Points with a time each, lines with times beside, Overland's `locations`."""
    try:
        root = orjson.loads(data)
    except orjson.JSONDecodeError as broken:
        into.refuse("JSON rusak", "is broken JSON", broken.lineno)
    into.unit = POINT
    features = None
    if isinstance(root, dict):
        features = root.get("features", root.get("locations"))
        if root.get("type") == "Feature":
            features = [root]
    if not isinstance(features, list):
        into.refuse("bukan GeoJSON berisi titik atau garis", "is no GeoJSON of points or lines")
    place, series = 0, 1
    for feature in features:
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict):
            into.refuse("fitur tanpa geometri", "a feature has no geometry", place + 1)
        coordinates: Any = geometry.get("coordinates")
        named = _named(feature.get("properties"))
        match geometry.get("type"):
            case "Point":
                place += 1
                time = _first(named, TIME)
                _point(into, place, 0, coordinates, time, named, _owners(named))
            case "LineString":
                place = _line(into, place, series, [coordinates], named)
                series += 1
            case "MultiLineString":
                place = _line(into, place, series, coordinates, named)
                series += len(coordinates)
            case _:
                into.refuse("geometrinya bukan titik atau garis", "is no point or line", place + 1)


def _point(
    into: Gathering,
    place: int,
    series: int,
    position: Any,
    time: object,
    named: Mapping[str, Any],
    owners: Mapping[str, Any],
) -> None:
    if not isinstance(position, list) or len(position) < 2:
        into.skip(place, "bukan posisi", "is no position")
        return
    moment = into.add(
        place,
        series,
        time=time,
        lon=position[0],
        lat=position[1],
        accuracy=_first(named, ACCURACY),
        mock=_first(named, MOCK),
        battery=_first(named, BATTERY),
    )
    for key, value in owners.items():
        into.owner(place, moment, key, value)


def _line(into: Gathering, place: int, series: int, parts: Any, named: Mapping[str, Any]) -> int:
    """The places after the last fix of these lines; each is a series."""
    beside = {**named, **_named(named.get("coordinateproperties"))}
    times, accuracies = _first(beside, ("times", "coordtimes")), beside.get("accuracies")
    if times is None:
        into.refuse("garis tanpa waktu", "is in a line without times", place + 1)
    owners = _owners({key: named[key] for key in named.keys() - LABELS})
    if not (isinstance(parts, list) and all(isinstance(part, list) for part in parts)):
        into.refuse("bukan garis", "is no line", place + 1)
    for number, part in enumerate(parts):
        at = _beside(times, parts, number, into, place)
        good_to = (
            [None] * len(part)
            if accuracies is None
            else _beside(accuracies, parts, number, into, place)
        )
        for position, time, accuracy in zip(part, at, good_to, strict=True):
            place += 1
            _point(into, place, series + number, position, time, {"accuracy": accuracy}, owners)
    return place


def _beside(
    values: Any, parts: list[list[Any]], number: int, into: Gathering, place: int
) -> list[Any]:
    """What stands beside the positions of one line: nested as the lines are, or flat for one."""
    nested = isinstance(values, list) and values and isinstance(values[0], list)
    found = values[number] if nested and number < len(values) else values
    if not nested and len(parts) > 1:
        found = None
    if not isinstance(found, list) or len(found) != len(parts[number]):
        into.refuse(
            "jumlah posisi dan waktu atau akurasinya berbeda",
            "is in a line with other numbers of positions and of times or accuracies",
            place + 1,
        )
    return found


def read_gpx(data: bytes, into: Gathering) -> None:
    """The track points of GPX 1.0 or 1.1; a document type, and with it entities, is refused."""
    reader = _Gpx(into)
    try:
        for start in range(0, len(data), SLICE):
            reader.parser.Parse(data[start : start + SLICE], False)
            into.reached(start)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError):
        into.refuse("XML rusak", "is broken XML", reader.parser.ErrorLineNumber)


class _Gpx:
    """Follows the elements of a GPX file; of a point, what stands directly in it and extensions."""

    TEXTS: Final = {"time", "hdop", "accuracy", "acc", "horizontalaccuracy"}

    def __init__(self, into: Gathering) -> None:
        self.into = into
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.rooted = False
        self.series = 0
        self.within = False
        self.point: dict[str, str] | None = None
        self.line = 0
        self.reading: str | None = None
        self.text: list[str] = []

    def _doctype(self, *_: object) -> None:
        self.into.refuse("DOCTYPE tidak diterima", "a DOCTYPE is not accepted")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        if not self.rooted:
            self.rooted = True
            if local != "gpx":
                self.into.refuse("XML ini bukan GPX", "is XML but no GPX")
        if local == "trkseg":
            self.within = True
            self.series += 1
        elif local == "trkpt" and self.within:
            self.point, self.line = attributes, self.parser.CurrentLineNumber
        elif self.point is not None and local in self.TEXTS and local not in self.point:
            self.reading = local
            self.parser.CharacterDataHandler = self.text.append

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2].lower()
        if self.reading == local and self.point is not None:
            self.point[local] = "".join(self.text).strip()
            self.reading = self.parser.CharacterDataHandler = None
            self.text.clear()
        elif local == "trkpt" and self.point is not None:
            said, self.point = self.point, None
            accuracy: object = _first(said, ACCURACY)
            if accuracy is None and (hdop := said.get("hdop")):
                accuracy = self._metres(hdop)
            self.into.add(
                self.line,
                self.series,
                time=said.get("time"),
                lon=said.get("lon"),
                lat=said.get("lat"),
                accuracy=accuracy,
            )
        elif local == "trkseg":
            self.within = False

    @staticmethod
    def _metres(hdop: str) -> object:
        try:
            return HDOP_M * float(hdop)
        except ValueError:
            return hdop
