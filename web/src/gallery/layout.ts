// Justified rows: every picture whole, every row as wide as the page, each month under its name.
import { month, ratio } from "../data/format";
import { sightOf } from "../data/pictures";
import type { Image } from "../schema";

export interface Box {
  index: number;
  left: number;
  width: number;
}

export interface Row {
  top: number;
  height: number;
  title: string | null;
  boxes: Box[];
}

export interface Layout {
  rows: Row[];
  height: number;
}

const TITLE = 52; // pixels
const WIDEST = 3;
const NARROWEST = 0.45;
const READABLE = 4 / 3; // of a tile with words in place of a picture

/** Where each image goes. Costs a few milliseconds for 10,000 of them; all sizes are in pixels. */
export function justified(images: Image[], width: number, target: number, gap: number, titled: boolean): Layout {
  const rows: Row[] = [];
  let top = 0;
  let title = "";
  let waiting: { index: number; ratio: number }[] = [];
  let sum = 0;

  const flush = (full: boolean): void => {
    if (!waiting.length) return;
    const room = width - gap * (waiting.length - 1);
    const height = Math.round(full ? room / sum : Math.min(target, room / sum));
    let left = 0;
    const boxes = waiting.map((one) => {
      const box = { index: one.index, left, width: Math.round(one.ratio * height) };
      left += box.width + gap;
      return box;
    });
    const last = boxes[boxes.length - 1]!;
    if (full) last.width = width - last.left;
    rows.push({ top, height, title: null, boxes });
    top += height + gap;
    waiting = [];
    sum = 0;
  };

  images.forEach((image, index) => {
    const name = month(image.created_at);
    if (titled && name !== title) {
      flush(false);
      rows.push({ top, height: TITLE, title: name, boxes: [] });
      top += TITLE;
      title = name;
    }
    const isShaped = ["picture", "pending"].includes(sightOf(image));
    const shape = isShaped ? Math.min(WIDEST, Math.max(NARROWEST, shapeOf(image))) : READABLE;
    waiting.push({ index, ratio: shape });
    sum += shape;
    if (sum * target + gap * (waiting.length - 1) >= width) flush(true);
  });
  flush(false);
  return { rows, height: top };
}

export const shapeOf = (image: Image): number =>
  image.width && image.height ? image.width / image.height : ratio(image.aspect_ratio);

/** The rows that touch the band from `from` to `to`, as a range of indices. */
export function visible(rows: Row[], from: number, to: number): [number, number] {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle]!;
    if (row.top + row.height < from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < rows.length && rows[end]!.top <= to) end++;
  return [low, end];
}

/** The image above or below another: the one in the next row whose middle is nearest. */
export function beside(rows: Row[], index: number, step: 1 | -1): number {
  const at = rows.findIndex((row) => row.boxes.some((box) => box.index === index));
  const box = rows[at]?.boxes.find((one) => one.index === index);
  if (!box) return index;
  const middle = box.left + box.width / 2;
  for (let next = at + step; next >= 0 && next < rows.length; next += step) {
    const [nearest] = [...rows[next]!.boxes].sort(
      (a, b) => Math.abs(a.left + a.width / 2 - middle) - Math.abs(b.left + b.width / 2 - middle),
    );
    if (nearest) return nearest.index;
  }
  return index;
}
