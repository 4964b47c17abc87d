const MOST_PIXELS = 1_600;
/** Of the file: the service takes 512 KiB. */
const MOST_BYTES = 500_000;

/**
 * The photo as JPEG in base64, upright and small enough; drawn anew, it says nothing of the camera.
 * Throws where it is no picture that this browser can read.
 */
export async function small(file: Blob): Promise<string> {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' });
  let scale = Math.min(1, MOST_PIXELS / Math.max(picture.width, picture.height));
  for (;;) {
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const drawn = await new Promise<Blob | null>((resolve) => {
      canvas.toBlob(resolve, 'image/jpeg', 0.8);
    });
    if (!drawn) throw new Error('no picture');
    if (drawn.size <= MOST_BYTES) return base64(new Uint8Array(await drawn.arrayBuffer()));
    scale *= 0.7;
  }
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
