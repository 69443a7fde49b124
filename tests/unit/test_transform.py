import re
from typing import Any

import pytest
from functions_support import load

transform = load("transform").handler


def test_data_source_is_upper_cased_and_the_rest_untouched() -> None:
    body = {"data_source": "crm-éu", "processing_type": "daily", "nested": {"data_source": "low"}}

    result = transform({"message_id": "m", "body": body}, None)

    assert result == {"message_id": "m", "body": {**body, "data_source": "CRM-ÉU"}}
    assert body["data_source"] == "crm-éu"


@pytest.mark.parametrize(("value", "shown"), [(20260101, "20260101"), (True, "true"), (["a"], '["a"]'), (1.5, "1.5")])
def test_other_types_are_refused_naming_field_value_and_fix(value: Any, shown: str) -> None:
    expected = f"data_source must be text, got {shown}: send it as a JSON string"
    with pytest.raises(TypeError, match=re.escape(expected)):
        transform({"message_id": "m", "body": {"data_source": value, "processing_type": "t"}}, None)
