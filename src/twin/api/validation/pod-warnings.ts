// What clients are told of a pod that is taken and yet odd.
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, textAt } from '../../json-value.ts'

const bytes = new Set(['memory', 'ephemeral-storage'])
const nanosPerByte = 1_000_000_000n
const mostBytes = 2n ** 63n - 1n

/** Texts of Warning headers for a new pod. */
export function podWarnings(pod: Draft): readonly string[] {
  const name = textAt(pod, 'metadata', 'name') ?? ''
  const rules = dns1123LabelProblems(name)
  return [
    ...(rules.length === 0
      ? []
      : [
          `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${rules.join(' ')}]`,
        ]),
    ...['containers', 'initContainers'].flatMap(list =>
      itemsAt(pod, 'spec', list).flatMap((container, index) => fractionWarnings(container, `spec.${list}[${index}]`)),
    ),
  ]
}

function fractionWarnings(container: Draft, at: string): readonly string[] {
  return (['limits', 'requests'] as const).flatMap(list =>
    Object.entries(fieldsAt(container, 'resources', list) ?? {}).flatMap(([name, value]) => {
      if (!bytes.has(name)) return []
      const parsed = parseQuantity(String(value))
      const isWhole = parsed.ok && parsed.value.nanos % nanosPerByte === 0n && parsed.value.nanos / nanosPerByte <= mostBytes
      const shown = JSON.stringify(String(value))
      return isWhole ? [] : [`${at}.resources.${list}[${name}]: fractional byte value ${shown} is invalid, must be an integer`]
    }),
  )
}
