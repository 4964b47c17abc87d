/** What `Track.geojson` holds: lines cut where the phone was silent for over an hour. */
export interface TrackFeature {
  type: 'Feature';
  geometry: { type: 'MultiLineString'; coordinates: [number, number][][] };
  properties: {
    /** Seconds since 1970, beside the coordinates. */
    times: number[][];
    /** Metres, beside the coordinates; null where unknown. */
    accuracies: (number | null)[][];
  };
}
