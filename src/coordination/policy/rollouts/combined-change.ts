// What a rollout changes in its workload's pod template when several wishes go into it.
import { classNumber, type TemplateChange } from '../../intent.ts'
import type { Joined, PermitRecord } from '../../permits/permit-record.ts'

/** What a passenger wanted and did not get, because another wanted it otherwise. */
interface LostChange {
  readonly requester: string
  readonly idempotencyKey: string
  /** `annotation KEY`, `env NAME of CONTAINER`, `requests RESOURCE of CONTAINER`, `limits RESOURCE of CONTAINER`. */
  readonly what: string
  /** Whose value is written. */
  readonly to: string
}

interface Setting {
  readonly what: string
  /** Empty for a variable that goes. */
  readonly value: string
  readonly place:
    | { readonly kind: 'annotation'; readonly key: string }
    | { readonly kind: 'env' | 'removed-env'; readonly container: string; readonly name: string }
    | { readonly kind: 'requests' | 'limits'; readonly container: string; readonly resource: string }
}

/**
 * The one change of the template that does what a rollout and all that go along with it want. Where two want one field differently the
 * more urgent class wins, then whoever came later; `lost` says what is not done. `undefined`: nobody changes anything.
 */
export function combinedChange(rollout: Pick<PermitRecord, keyof Wish | 'joined'>): {
  readonly change: TemplateChange | undefined
  readonly lost: readonly LostChange[]
} {
  const written = new Map<string, { readonly setting: Setting; readonly by: Wish }>()
  const lost: LostChange[] = []
  // What is written last stays. A rollout that waited for company was there before those that joined it.
  const wishes: readonly Wish[] = [rollout, ...rollout.joined]
  for (const wish of wishes.toSorted((a, b) => classNumber(b.class) - classNumber(a.class))) {
    for (const setting of settingsOf(wish.change)) {
      const earlier = written.get(setting.what)
      if (earlier !== undefined && !isSame(earlier.setting, setting)) {
        const { requester, idempotencyKey } = earlier.by
        lost.push({ requester, idempotencyKey, what: setting.what, to: wish.requester })
      }
      written.set(setting.what, { setting, by: wish })
    }
  }
  return { change: changeOf(Array.from(written.values(), ({ setting }) => setting)), lost }
}

function isSame(a: Setting, b: Setting): boolean {
  return a.value === b.value && a.place.kind === b.place.kind
}

type Wish = Pick<Joined, 'requester' | 'idempotencyKey' | 'class' | 'change'>

function settingsOf(change: TemplateChange | undefined): readonly Setting[] {
  if (change === undefined) return []
  const annotations = Object.entries(change.annotations ?? {}).map(
    ([key, value]): Setting => ({ what: `annotation ${key}`, value, place: { kind: 'annotation', key } }),
  )
  const env = (change.env ?? []).map(
    ({ container, name, value }): Setting => ({
      what: `env ${name} of ${container}`,
      value,
      place: { kind: 'env', container, name },
    }),
  )
  const removed = (change.removeEnv ?? []).map(
    ({ container, name }): Setting => ({
      what: `env ${name} of ${container}`,
      value: '',
      place: { kind: 'removed-env', container, name },
    }),
  )
  const resources = (change.resources ?? []).flatMap(one => [...quantitiesOf('requests', one), ...quantitiesOf('limits', one)])
  return [...annotations, ...env, ...removed, ...resources]
}

function quantitiesOf(kind: 'requests' | 'limits', one: NonNullable<TemplateChange['resources']>[number]): readonly Setting[] {
  const { container } = one
  return Object.entries(one[kind] ?? {}).map(([resource, value]) => ({
    what: `${kind} ${resource} of ${container}`,
    value,
    place: { kind, container, resource },
  }))
}

function changeOf(settings: readonly Setting[]): TemplateChange | undefined {
  const annotations: [string, string][] = []
  const env: { container: string; name: string; value: string }[] = []
  const removeEnv: { container: string; name: string }[] = []
  const resources = new Map<string, { requests: [string, string][]; limits: [string, string][] }>()
  for (const { place, value } of settings) {
    switch (place.kind) {
      case 'annotation':
        annotations.push([place.key, value])
        break
      case 'env':
        env.push({ container: place.container, name: place.name, value })
        break
      case 'removed-env':
        removeEnv.push({ container: place.container, name: place.name })
        break
      case 'requests':
      case 'limits': {
        const entry = resources.get(place.container) ?? { requests: [], limits: [] }
        entry[place.kind].push([place.resource, value])
        resources.set(place.container, entry)
        break
      }
      default:
        place satisfies never
    }
  }
  if (settings.length === 0) return undefined
  return {
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    ...(env.length === 0 ? {} : { env }),
    ...(removeEnv.length === 0 ? {} : { removeEnv }),
    ...(resources.size === 0
      ? {}
      : {
          resources: Array.from(resources, ([container, { requests, limits }]) => ({
            container,
            ...(requests.length === 0 ? {} : { requests: Object.fromEntries(requests) }),
            ...(limits.length === 0 ? {} : { limits: Object.fromEntries(limits) }),
          })),
        }),
  }
}
