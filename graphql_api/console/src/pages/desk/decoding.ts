/** Reads QR codes from a camera's pictures. */
export interface Decoder {
  /** What the code in the picture says; null where there is none. */
  read(video: HTMLVideoElement): Promise<string | null>;
  close(): void;
}

interface Detector {
  detect(source: CanvasImageSource): Promise<readonly { rawValue: string }[]>;
}
interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<readonly string[]>;
}

/** The browser's own decoder where it has one, or ours, in a worker. */
export async function decoder(): Promise<Decoder> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass };
  const formats = (await BarcodeDetector?.getSupportedFormats().catch(() => [])) ?? [];
  if (BarcodeDetector && formats.includes('qr_code')) {
    const detector = new BarcodeDetector({ formats: ['qr_code'] });
    return {
      // It throws at pictures that are not there yet.
      read: async (video) => (await detector.detect(video).catch(() => []))[0]?.rawValue ?? null,
      close: () => {},
    };
  }
  const worker = new Worker(new URL('./decode.worker.ts', import.meta.url), { type: 'module' });
  return {
    read: async (video) => {
      const picture = await createImageBitmap(video);
      return await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<string | null>) => resolve(data);
        worker.onerror = reject;
        worker.postMessage(picture, [picture]);
      });
    },
    close: () => worker.terminate(),
  };
}
