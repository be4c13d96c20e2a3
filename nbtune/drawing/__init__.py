"""How things look: escaping, tables, curves and the theme, as HTML, Markdown and plain text.

Knows nothing of runs and reports, imports nothing of nbtune, and needs neither IPython nor torch. Every
function that makes HTML returns `Markup` and escapes whatever is not `Markup`, so pieces nest safely.
"""

from nbtune.drawing.charts import Series, line_chart, smooth, sparkline, thin
from nbtune.drawing.intervals import Interval, interval_chart
from nbtune.drawing.picture import Bundle, Picture
from nbtune.drawing.record import Record
from nbtune.drawing.still import still
from nbtune.drawing.tables import markdown_table, table, text_table
from nbtune.drawing.text import Markup, counted, duration, escape, join, markdown_safe, number, shorten, size, visible
from nbtune.drawing.theme import badge, boxed, callout, facts, fold, late, panel, progress, style, tag

__all__ = [
    "Bundle",
    "Interval",
    "Markup",
    "Picture",
    "Record",
    "Series",
    "badge",
    "boxed",
    "callout",
    "counted",
    "duration",
    "escape",
    "facts",
    "fold",
    "interval_chart",
    "join",
    "late",
    "line_chart",
    "markdown_safe",
    "markdown_table",
    "number",
    "panel",
    "progress",
    "shorten",
    "size",
    "smooth",
    "sparkline",
    "still",
    "style",
    "table",
    "tag",
    "text_table",
    "thin",
    "visible",
]
