"""Trips on the outlines the product ships, along the roads and flights of Kalimantan Timur."""

import numpy as np

from tenants.regions import shipped
from tests.tracks import accusations, trip, verdict, walk
from workers.case import Deviation, Fixes, Outcome, Plan, Verdict
from workers.track import RegionIndex

KALTIM = RegionIndex(
    [(region.code, region.name, region.outline) for region in shipped().regions],
    shipped().tolerance_m,
)
SAMARINDA, BALIKPAPAN, SEPINGGAN = (117.146, -0.502), (116.831, -1.268), (116.894, -1.267)
REDEB, KALIMARAU, SANGATTA, WAHAU = (
    (117.495, 2.153),
    (117.433, 2.155),
    (117.55, 0.5),
    (116.87, 1.05),
)
GROGOT, BALI = (116.19, -1.91), (115.17, -8.75)


def on_real_outlines(plan: Plan, fixes: Fixes) -> Verdict:
    return verdict(plan, fixes, regions=KALTIM)


def conforms(judged: Verdict) -> bool:
    return judged.outcome is Outcome.CONFORMS and accusations(judged) == []


def only(judged: Verdict) -> Deviation:
    assert judged.outcome is Outcome.DEVIATES
    (deviation,) = accusations(judged)
    return deviation


def test_by_air_through_balikpapan_to_berau():
    flight = walk(
        *((0, SAMARINDA), (6, SAMARINDA), (8.5, SEPINGGAN), (11, SEPINGGAN), (12, KALIMARAU)),
        *((13, REDEB), (58, REDEB), (60, KALIMARAU), (61, SEPINGGAN), (64, SAMARINDA)),
        *((72, SAMARINDA),),
        silent=[(11, 12), (60, 61)],
    )
    assert conforms(on_real_outlines(trip("64.03"), flight))


def test_a_night_at_the_airport_before_the_flight():
    flight = walk(
        *((0, SAMARINDA), (16, SAMARINDA), (19, SEPINGGAN), (30, SEPINGGAN), (31, KALIMARAU)),
        *((60, REDEB), (61, KALIMARAU), (62, SEPINGGAN), (72, SAMARINDA)),
        silent=[(30, 31), (61, 62)],
    )
    assert conforms(on_real_outlines(trip("64.03"), flight))


def test_by_road_to_berau_with_a_night_in_wahau():
    road = walk(
        *((0, SAMARINDA), (9, SAMARINDA), (13, SANGATTA), (14, SANGATTA), (19, WAHAU)),
        *((30, WAHAU), (36, REDEB), (56, REDEB), (72, SAMARINDA)),
    )
    assert conforms(on_real_outlines(trip("64.03"), road))


def test_sent_to_balikpapan_seen_in_paser_or_bali():
    for where, code in ((GROGOT, "64.01"), (BALI, None)):
        track = walk((0, SAMARINDA), (8, SAMARINDA), (14, where), (60, where), (70, SAMARINDA))
        deviation = only(on_real_outlines(trip("64.71"), track))
        assert (deviation.region, deviation.planned_region) == (code, "64.71")
    assert "di luar peta wilayah antara" in deviation.message_id


def test_an_island_no_outline_shows_is_no_wrong_region():
    maratua = (118.75, 2.25)
    labels = KALTIM.label(
        KALTIM.project(lon=np.array([118.75]), lat=np.array([2.25])), np.array([250.0])
    )
    assert labels.codes[labels.inside[0]] is None
    track = walk((0, SAMARINDA), (8, SAMARINDA), (20, maratua), (56, maratua), (72, SAMARINDA))
    assert accusations(on_real_outlines(trip("64.03"), track)) == []
