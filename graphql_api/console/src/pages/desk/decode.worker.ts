import decodeQR from 'qr/decode.js';

/** Takes one picture at a time and answers with what its QR code says, or null. */
addEventListener('message', ({ data: picture }: MessageEvent<ImageBitmap>) => {
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const brush = canvas.getContext('2d', { willReadFrequently: true });
  let text: string | null = null;
  try {
    brush?.drawImage(picture, 0, 0);
    if (brush) text = decodeQR(brush.getImageData(0, 0, width, height));
  } catch {
    // Most pictures have none.
  }
  picture.close();
  postMessage(text);
});
