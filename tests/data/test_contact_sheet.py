import numpy as np

from occlumark.data.contact_sheet import cell_rows, strip


def test_cells_in_rows_and_white_where_there_is_none() -> None:
    cells = [np.full((2, 3, 3), grey, np.uint8) for grey in (10, 20, 30, 40, 50)]
    picture = cell_rows(cells, 2)
    assert picture.shape == (3 * 2, 2 * 3, 3)
    assert picture[::2, ::3, 0].tolist() == [[10, 20], [30, 40], [50, 255]]


def test_text_is_black_on_white() -> None:
    assert (strip("", 90, 20, 0.4) == 255).all()
    written = strip("hand", 90, 20, 0.4)
    assert written.shape == (20, 90, 3) and written.min() < 60 and (written[:, 60:] == 255).all()
