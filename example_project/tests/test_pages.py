"""Pages, JSON and files of every report: good requests, refused values, sorting and paging."""

from __future__ import annotations

import io
import re
from csv import reader

import pytest
from django.urls import reverse
from openpyxl import load_workbook
from pyarrow.parquet import read_table

from example_project import views
from example_project.flights.models import Airline, Airport, Flight
from reports import registered

NAMES = (
    "flights.carrier_delays",
    "flights.route_delays",
    "helpdesk.department_tickets",
    "helpdesk.department_totals",
    "helpdesk.employee_loads",
    "helpdesk.latest_tickets",
    "shop.category_sales",
    "shop.customer_balances",
    "shop.monthly_revenue",
    "shop.product_ranks",
)
EXTENSIONS = ("csv", "ndjson", "xlsx", "parquet")


def page(name: str) -> str:
    return reverse("report", args=name.split("."))


def json(name: str) -> str:
    return reverse("report-json", args=name.split("."))


def file(name: str, extension: str) -> str:
    return reverse("report-file", args=[*name.split("."), extension])


def csv(name: str) -> str:
    return file(name, "csv")


def api(name: str) -> str:
    return reverse("reports:report", args=[name])


def test_the_ten_reports_are_registered():
    assert [name for name in registered() if name.startswith(("flights.", "helpdesk.", "shop."))] == list(NAMES)


def test_index(loaded, client):
    response = client.get("/")

    text = response.content.decode()
    assert response.status_code == 200
    assert all(address(name) in text for name in NAMES for address in (page, json, csv, api))
    assert all(f'href="{file(name, extension)}"' in text for name in NAMES for extension in EXTENSIONS)
    assert '<tr><td>tickets</td><td class="number">3,000</td></tr>' in text
    assert '<tr><td>order lines</td><td class="number">1,500</td></tr>' in text
    assert "employee loads" not in text


@pytest.mark.parametrize("name", NAMES)
def test_page(loaded, client, name):
    response = client.get(page(name))

    assert response.status_code == 200
    assert "SQL that ran" in response.content.decode()
    assert len(response.context["statements"]) == 2 - name.startswith("flights.")


@pytest.mark.parametrize("name", NAMES)
def test_page_before_anything_is_loaded(db, client, name):
    response = client.get(page(name))

    assert response.status_code == 200
    assert "No rows." in response.content.decode()


@pytest.mark.parametrize("name", NAMES)
def test_json(loaded, client, name):
    response = client.get(json(name))

    answer = response.json()
    assert response.status_code == 200
    assert (answer["report"], answer["page"]) == (name, 1)
    assert len(answer["rows"]) == min(answer["count"], 25)


def test_json_has_the_columns_in_order(loaded, client):
    row = client.get(json("helpdesk.employee_loads")).json()["rows"][0]

    assert list(row) == ["employee_id", "department_id", "open_tickets", "urgent_tickets", "oldest_open"]


def test_unknown_report(db, client):
    for address in (page, json, csv):
        assert client.get(address("helpdesk.department_ticket")).status_code == 404


def test_post_is_refused(db, client):
    assert client.post(page("helpdesk.department_tickets")).status_code == 405


# -- parameters


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("flights.carrier_delays", "month", "13"),
        ("flights.carrier_delays", "late_after", "' OR 1=1 --"),
        ("flights.carrier_delays", "late_after", ""),
        ("flights.route_delays", "origin", "BOS"),
        ("helpdesk.department_tickets", "opened_from", "31/12/2026x"),
        ("helpdesk.department_tickets", "priorities", "9"),
        ("helpdesk.department_totals", "until", "soon"),
        ("helpdesk.employee_loads", "at_least", "0"),
        ("helpdesk.latest_tickets", "n", ""),
        ("shop.category_sales", "levels", "0"),
        ("shop.customer_balances", "since", "2026-02-30"),
        ("shop.monthly_revenue", "average_over", "5"),
        ("shop.product_ranks", "top", "all"),
    ],
)
def test_a_bad_value_is_a_400_beside_its_field(loaded, client, name, field, value):
    answer = client.get(json(name), {field: value})
    file = client.get(csv(name), {field: value})
    shown = client.get(page(name), {field: value})

    assert (answer.status_code, file.status_code, shown.status_code) == (400, 400, 400)
    assert file.json() == answer.json()
    ((refused, messages),) = answer.json()["errors"].items()
    assert refused == field
    wrong = re.search(r'<div class="field wrong">.*?</div>', shown.content.decode(), re.DOTALL)
    assert wrong is not None
    assert f'name="{field}"' in wrong[0]
    assert shown.context["form"].errors[field] == messages


@pytest.mark.parametrize("name", ["helpdesk.department_totals", "shop.monthly_revenue"])
def test_dates_have_a_calendar(loaded, client, name):
    text = client.get(page(name), {"since": "2026-01-31"}).content.decode()

    assert '<input type="date" name="since" value="2026-01-31" id="id_since">' in text


def test_all_bad_values_at_once(loaded, client):
    answer = client.get(json("helpdesk.department_totals"), {"since": "x", "until": "y"})

    assert set(answer.json()["errors"]) == {"since", "until"}


def test_parameters_reach_the_rows(loaded, client):
    everything = client.get(json("helpdesk.latest_tickets")).json()["count"]
    newest = client.get(json("helpdesk.latest_tickets"), {"n": "1"}).json()["count"]

    assert newest < everything <= 3 * newest


def test_several_values_of_one_parameter(loaded, client):
    response = client.get(page("helpdesk.department_tickets"), {"priorities": ["1", "2"]})

    assert list(response.context["statements"][1].params)[:2] == [1, 2]


def test_header_only_report(db, client):
    airline = Airline.objects.create(code="UA", name="United")
    airport = Airport.objects.create(code="EWR", name="Newark", lat=0, lon=0, alt=0, tz=-5, dst="A")
    for month, delay in ((1, 20), (1, 10), (2, None)):
        Flight.objects.create(
            year=2013, month=month, day=1, hour=1, minute=0, time_hour="2013-01-01T00:00Z", flight=1, distance=1,
            carrier=airline, origin=airport, dest=airport, sched_dep_time=100, sched_arr_time=100,
            dep_time=delay and 100, dep_delay=delay, arr_delay=delay,
        )  # fmt: skip

    rows = client.get(json("flights.carrier_delays")).json()["rows"]
    february = client.get(json("flights.carrier_delays"), {"month": "2"}).json()["rows"]

    assert [(row["airline"], row["flights"], row["cancelled"]) for row in rows] == [("United", 3, 1)]
    assert (float(rows[0]["mean_delay"]), float(rows[0]["late_share"])) == (15, 50)
    assert (february[0]["flights"], february[0]["mean_delay"], february[0]["late_share"]) == (1, None, None)


# -- who is asking


def test_the_chosen_user_sees_less(loaded, client):
    assert client.get(json("helpdesk.department_tickets")).json()["count"] == 500
    assert client.get(json("helpdesk.department_tickets"), {"as": "north"}).json()["count"] == 125


def test_an_unknown_user_is_refused(loaded, client):
    answer = client.get(json("helpdesk.department_tickets"), {"as": "root"})
    file = client.get(csv("helpdesk.department_tickets"), {"as": "root"})
    shown = client.get(page("helpdesk.department_tickets"), {"as": "root"})

    assert (answer.status_code, file.status_code, shown.status_code) == (400, 400, 400)
    assert answer.json()["errors"] == {"as": ["'root' is not a demo user; choose one of: staff, north, south."]}
    assert "is not a demo user" in shown.content.decode()


# -- sorting


@pytest.mark.parametrize("name", NAMES)
def test_every_heading_sorts(loaded, client, name):
    headings = client.get(page(name)).context["header"]

    for heading in headings:
        once = client.get(page(name), {"sort": heading.sort})
        again = next(found.sort for found in once.context["header"] if found.arrow)
        assert once.status_code == 200
        assert again in (heading.sort.removeprefix("-"), f"-{heading.sort}")


def test_sorting_is_that_of_the_column(loaded, client):
    rows = client.get(json("helpdesk.department_tickets"), {"sort": "-closed_tickets"}).json()["rows"]

    closed = [row["closed_tickets"] for row in rows]
    assert closed == sorted(closed, reverse=True)
    assert closed[0] > closed[-1]


@pytest.mark.parametrize("sort", ["avg_resolution", "-avg_resolution"])
def test_missing_values_come_last(loaded, client, sort):
    rows = client.get(json("helpdesk.department_tickets"), {"sort": sort, "page": "20"}).json()["rows"]

    assert rows[-1]["avg_resolution"] is None


@pytest.mark.parametrize("sort", ["password", "department__parent__name", "-", "?", "--name", "pk", "open_tickets;"])
def test_an_unknown_sort_key_is_refused(loaded, client, sort):
    answer = client.get(json("helpdesk.department_tickets"), {"sort": sort})
    shown = client.get(page("helpdesk.department_tickets"), {"sort": sort})

    assert (answer.status_code, shown.status_code) == (400, 400)
    assert "choose one of: department_id, name" in answer.json()["errors"]["sort"][0]
    assert "is not a column" in shown.content.decode()


# -- paging


def test_pages_hold_every_row_once(loaded, client):
    seen = []
    for number in range(1, 21):
        answer = client.get(json("helpdesk.department_tickets"), {"page": number, "sort": "open_tickets"}).json()
        seen += [row["department_id"] for row in answer["rows"]]

    assert sorted(seen) == list(range(1, 501))


@pytest.mark.parametrize("number", ["21", "0", "-1", "x", "1e3"])
def test_json_past_the_end(loaded, client, number):
    response = client.get(json("helpdesk.department_tickets"), {"page": number})

    assert response.status_code == 404
    assert list(response.json()["errors"]) == ["page"]


@pytest.mark.parametrize(("asked", "number"), [("21", 20), ("0", 20), ("x", 1), ("20", 20)])
def test_page_past_the_end_is_the_last(loaded, client, asked, number):
    response = client.get(page("helpdesk.department_tickets"), {"page": asked})

    assert response.status_code == 200
    assert response.context["page"].number == number


def test_links_keep_the_parameters(loaded, client):
    text = client.get(page("helpdesk.latest_tickets"), {"n": "2", "as": "north", "page": "2"}).content.decode()

    assert "?n=2&amp;as=north&amp;page=3" in text
    assert "?n=2&amp;as=north&amp;sort=status" in text


def test_a_path_is_shown_from_the_root(loaded, client):
    text = client.get(page("shop.category_sales")).content.decode()

    assert "<td>Home › Kitchen › Cookware › Pans</td>" in text


# -- CSV


def lines_of(response) -> list[list[str]]:
    return list(reader(io.StringIO(b"".join(response.streaming_content).decode())))


@pytest.mark.parametrize("name", NAMES)
def test_csv_has_all_rows(loaded, client, name):
    response = client.get(csv(name))

    lines = lines_of(response)
    columns = client.get(page(name)).context["header"]
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{name.partition(".")[2]}.csv"'
    assert len(lines) == 1 + client.get(json(name)).json()["count"]
    assert {len(line) for line in lines} == {len(columns)}


def test_csv_follows_the_parameters_the_sort_and_the_user(loaded, client):
    asked = {"priorities": "1", "as": "north", "sort": "-closed_tickets"}

    _, *lines = lines_of(client.get(csv("helpdesk.department_tickets"), asked | {"page": "2"}))

    rows = [
        client.get(json("helpdesk.department_tickets"), asked | {"page": number}).json()["rows"]
        for number in range(1, 6)
    ]
    assert [int(line[0]) for line in lines] == [row["department_id"] for part in rows for row in part]
    assert len(lines) == 125


def test_the_csv_link_asks_for_all_pages_of_the_same(loaded, client):
    text = client.get(page("helpdesk.department_tickets"), {"page": "2", "as": "north"}).content.decode()

    assert f'href="{csv("helpdesk.department_tickets")}?as=north"' in text


# -- other files


def test_files_have_all_rows(loaded, client):
    for name in NAMES:
        asked = {} if name.startswith("flights.") else {"as": "north"}
        count = client.get(json(name), asked).json()["count"]

        lines, workbook, table = (
            b"".join(client.get(file(name, extension), asked).streaming_content) for extension in EXTENSIONS[1:]
        )

        assert len(lines.splitlines()) == count
        assert load_workbook(io.BytesIO(workbook)).active.max_row == 1 + count
        assert read_table(io.BytesIO(table)).num_rows == count


def test_file_of_another_kind(db, client):
    assert client.get(file("helpdesk.department_tickets", "exe")).status_code == 404


def test_links_to_files_whose_library_is_not_installed_are_left_out(loaded, client, monkeypatch):
    monkeypatch.setattr(views, "find_spec", lambda name: None)

    text = client.get("/").content.decode()

    assert "XLSX" not in text
    assert "Parquet" not in text
    assert client.get(file("helpdesk.department_tickets", "xlsx")).status_code == 404
    assert ">NDJSON<" in text


def test_the_link_to_the_api_has_the_parameters(loaded, client):
    asked = {"n": "2", "as": "north", "page": "2", "sort": "status"}
    text = client.get(page("helpdesk.latest_tickets"), asked).content.decode()

    assert f'href="{api("helpdesk.latest_tickets")}?n=2"' in text


def test_values_are_escaped(loaded, client):
    text = client.get(page("helpdesk.department_tickets"), {"opened_from": "<script>x</script>"}).content.decode()

    assert "<script>" not in text
