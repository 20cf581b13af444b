// Labels of devices: their fields joined, for classes that are on a list.

export interface DeviceLabelSettings {
  /** Beginnings of classes, such as `03`. */
  readonly deviceClassWhitelist: readonly string[]
  readonly deviceLabelFields: readonly string[]
}

/**
 * A label's stem for each device whose class is on the list.
 *
 * @param known All fields that a label may have, in the order that they have in it.
 * @param standard Those of a label where the settings name none that is known.
 */
export function deviceStems(
  devices: readonly ReadonlyMap<string, string>[],
  settings: DeviceLabelSettings,
  { known, standard }: { readonly known: readonly string[]; readonly standard: readonly string[] },
): readonly { readonly stem: string; readonly device: ReadonlyMap<string, string> }[] {
  const wanted = known.filter(field => settings.deviceLabelFields.includes(field))
  const fields = wanted.length === 0 ? standard : wanted
  return devices
    .filter(device =>
      settings.deviceClassWhitelist.some(beginning => (device.get('class') ?? '').startsWith(beginning.toLowerCase())),
    )
    .map(device => ({ stem: fields.map(field => device.get(field) ?? '').join('_'), device }))
}

/** Fields of the settings that no device has: they count for nothing. */
export function unknownFields({ deviceLabelFields }: DeviceLabelSettings, known: readonly string[]): readonly string[] {
  return deviceLabelFields.filter(field => !known.includes(field))
}
