// Values on a canvas: an image as it is, anything else as bars.

/** Draw x, whose event has this shape, with black at the lower and white at the upper end of the range. */
export function paint(canvas, x, { shape, image, range }) {
  if (image) pixels(canvas, x, shape, range);
  else bars(canvas, x, range);
}

function pixels(canvas, x, [height, width, channels = 1], [low, high]) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.aspectRatio = `${width} / ${height}`;
  }
  const picture = new ImageData(width, height); // clamps and rounds what it is given
  for (let i = 0; i < width * height; i++) {
    for (let k = 0; k < 3; k++) {
      picture.data[4 * i + k] = (255 * (x[channels * i + (channels === 3 ? k : 0)] - low)) / (high - low);
    }
    picture.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function bars(canvas, x, [low, high]) {
  const size = Math.max(x.length, 256);
  canvas.width = size;
  canvas.height = 256;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const level = (value) => 255 - (255 * (Math.min(Math.max(value, low), high) - low)) / (high - low);
  const zero = level(0);
  context.fillStyle = style.getPropertyValue("--accent");
  for (let i = 0; i < x.length; i++) {
    const top = level(x[i]);
    const left = Math.floor((i * size) / x.length);
    const right = Math.floor(((i + 0.9) * size) / x.length);
    context.fillRect(left, Math.min(top, zero), Math.max(right - left, 1), Math.max(Math.abs(top - zero), 1));
  }
}
