// What a driver or a scheduler writes into the status of a claim of devices.
import { type FieldError, forbidden, invalid, notSupported, required, tooMany } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, textAt, valueAt } from '../../../json-value.ts'
import { conditionListProblems } from '../changes/condition-list.ts'
import { nodeSelectorProblems } from '../pods/node-selector-validation.ts'
import {
  bindingProblems,
  configurationProblems,
  driverNameProblems,
  labelProblems,
  poolNameProblems,
  rawProblems,
  requestNameProblems,
  requestNames,
  requestReferenceProblems,
} from './device-parts.ts'

const mostConsumers = 256
const resultCount = 32

/** Everything that is wrong with the status of a claim. */
export function claimStatusProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const status = fieldsAt(draft, 'status') ?? {}
  const allocation = fieldsAt(status, 'allocation')
  const before = valueAt(existing, 'status', 'allocation')
  const names = requestNames(fieldsAt(draft, 'spec', 'devices'))
  const allocated = new Set(itemsAt(allocation, 'devices', 'results').map(identity))
  return [
    ...consumerProblems(status, allocation, existing),
    ...itemsAt(status, 'devices').flatMap((device, index) => deviceProblems(`status.devices[${index}]`, device, allocated)),
    ...(before !== undefined && allocation !== undefined
      ? isSame(allocation, before)
        ? []
        : [invalid('status.allocation', allocation, 'field is immutable')]
      : []),
    ...(before === undefined && allocation !== undefined ? allocationProblems(allocation, names) : []),
  ]
}

function consumerProblems(status: Draft, allocation: Draft | undefined, existing: KubeObject): readonly FieldError[] {
  const at = 'status.reservedFor'
  const consumers = itemsAt(status, 'reservedFor')
  if (consumers.length > mostConsumers) return [tooMany(at, consumers.length, mostConsumers)]
  const problems = consumers.flatMap((consumer, index) =>
    ['resource', 'name', 'uid'].flatMap(name =>
      (textAt(consumer, name) ?? '') === '' ? [required(`${at}[${index}].${name}`)] : [],
    ),
  )
  if (consumers.length === 0) return problems
  if (allocation === undefined) return [...problems, forbidden(at, 'may not be specified when `allocated` is not set')]
  const before = listAt(existing, 'status', 'reservedFor')
  const isNew = consumers.some(consumer => !before.some(one => isSame(one, consumer)))
  const isGoing = existing.metadata.deletionTimestamp !== undefined
  const why = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set'
  return isNew && isGoing ? [...problems, forbidden(at, why)] : problems
}

const identity = (device: Draft) => ['driver', 'pool', 'device', 'shareID'].map(name => textAt(device, name) ?? '').join('/')

const shareForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function shareProblems(at: string, device: Draft): readonly FieldError[] {
  const share = textAt(device, 'shareID')
  if (share === undefined) return []
  if (share.length !== 36) return [invalid(at, share, `error validating uid: invalid UUID length: ${share.length}`)]
  if (!shareForm.test(share)) return [invalid(at, share, 'error validating uid: invalid UUID format')]
  const rule =
    'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters'
  return share === share.toLowerCase() ? [] : [invalid(at, share, rule)]
}

function deviceProblems(at: string, device: Draft, allocated: ReadonlySet<string>): readonly FieldError[] {
  const [driver, pool, name] = ['driver', 'pool', 'device'].map(field => textAt(device, field) ?? '') as [string, string, string]
  const shown = { Driver: driver, Pool: pool, Device: name, ShareID: textAt(device, 'shareID') ?? '' }
  const conditions = itemsAt(device, 'conditions')
  const data = device['data'] ?? undefined
  const most = 8
  return [
    ...driverNameProblems(`${at}.driver`, driver),
    ...poolNameProblems(`${at}.pool`, pool),
    ...labelProblems(`${at}.device`, name),
    ...shareProblems(`${at}.shareID`, device),
    ...(allocated.has(identity(device)) ? [] : [invalid(at, shown, 'must be an allocated device in the claim')]),
    ...(conditions.length > most ? [tooMany(`${at}.conditions`, conditions.length, most)] : []),
    ...conditionListProblems(`${at}.conditions`, conditions),
    ...(data === undefined ? [] : rawProblems(`${at}.data`, data)),
  ]
}

const sources = ['FromClaim', 'FromClass']

function allocationProblems(allocation: Draft, names: ReadonlySet<string>): readonly FieldError[] {
  const at = 'status.allocation'
  const results = itemsAt(allocation, 'devices', 'results')
  const configs = itemsAt(allocation, 'devices', 'config')
  const nodes = fieldsAt(allocation, 'nodeSelector')
  return [
    ...(results.length > resultCount
      ? [tooMany(`${at}.devices.results`, results.length, resultCount)]
      : results.flatMap((result, index) => resultProblems(`${at}.devices.results[${index}]`, result, names))),
    ...(configs.length > 2 * resultCount
      ? [tooMany(`${at}.devices.config`, configs.length, 2 * resultCount)]
      : configs.flatMap((config, index) => {
          const place = `${at}.devices.config[${index}]`
          const source = textAt(config, 'source') ?? ''
          return [
            ...(source === '' ? [required(`${place}.source`)] : []),
            ...(source === '' || sources.includes(source) ? [] : [notSupported(`${place}.source`, source, sources)]),
            ...requestReferenceProblems(`${place}.requests`, listAt(config, 'requests').map(String), names),
            ...configurationProblems(place, config),
          ]
        })),
    ...(nodes === undefined ? [] : nodeSelectorProblems(`${at}.nodeSelector`, nodes)),
  ]
}

function resultProblems(at: string, result: Draft, names: ReadonlySet<string>): readonly FieldError[] {
  const text = (name: string) => textAt(result, name) ?? ''
  return [
    ...requestNameProblems(`${at}.request`, text('request'), names),
    ...driverNameProblems(`${at}.driver`, text('driver')),
    ...poolNameProblems(`${at}.pool`, text('pool')),
    ...labelProblems(`${at}.device`, text('device')),
    ...bindingProblems(at, result),
    ...shareProblems(`${at}.shareID`, result),
  ]
}
