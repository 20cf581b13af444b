// What is written to a claim's status once its devices are found.

import type { NodeSelector, NodeSelectorRequirement } from '#kube/objects/objects.ts'
import type { ClaimDevices, TakenDevice } from './device-search.ts'
import { type AllocatedDevice, type Allocation, deviceKey, type ResourceClaim } from './device-shapes.ts'

type Configuration = NonNullable<NonNullable<Allocation['devices']>['config']>[number]

/** The allocation of one claim on `node`. `shareId` names a share of a device; it is told which of the results it is. */
export function allocationOf(
  claim: ResourceClaim,
  devices: ClaimDevices,
  node: string,
  shareId: (key: string, at: number) => string,
): Allocation {
  const results = devices.map((taken, at) => resultOf(taken, key => shareId(key, at)))
  const config = configurationOf(claim, devices)
  const nodeSelector = selectorOf(devices, node)
  return {
    devices: { ...(results.length > 0 ? { results } : {}), ...(config.length > 0 ? { config } : {}) },
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
  }
}

function resultOf({ wanted, candidate, consumed }: TakenDevice, shareId: (key: string) => string): AllocatedDevice {
  const { adminAccess, tolerations } = wanted.wish
  const place = { driver: candidate.pool.driver, pool: candidate.pool.name, device: candidate.device.name }
  return {
    request: requestName(wanted),
    ...place,
    ...(adminAccess === true ? { adminAccess } : {}),
    ...(tolerations === undefined || tolerations.length === 0 ? {} : { tolerations }),
    ...(consumed === undefined ? {} : { shareID: shareId(deviceKey(place)) }),
    ...(consumed === undefined || Object.keys(consumed).length === 0 ? {} : { consumedCapacity: consumed }),
  }
}

function requestName({ request, alternative }: TakenDevice['wanted']): string {
  return alternative === undefined ? request : `${request}/${alternative}`
}

/** The parameters of classes first, each class once, then those of the claim that concern what was chosen. */
function configurationOf(claim: ResourceClaim, devices: ClaimDevices): readonly Configuration[] {
  const chosen = [...new Map(devices.map(({ wanted }) => [wanted.request, wanted])).values()]
  const byClass = Map.groupBy(chosen, ({ deviceClass }) => deviceClass.metadata.name)
  const ofClasses = [...byClass.values()].flatMap(wanted =>
    (wanted[0]?.deviceClass.spec.config ?? []).map(
      (config): Configuration => ({ ...config, source: 'FromClass', requests: wanted.map(requestName) }),
    ),
  )
  const names = new Set(chosen.flatMap(wanted => [wanted.request, requestName(wanted)]))
  const ofClaim = (claim.spec.devices?.config ?? [])
    .filter(({ requests = [] }) => requests.length === 0 || requests.some(name => names.has(name)))
    .map((config): Configuration => ({ ...config, source: 'FromClaim' }))
  return [...ofClasses, ...ofClaim]
}

/** The node alone where a device is there only; else what all slices ask of nodes; none where the devices are for every node. */
function selectorOf(devices: ClaimDevices, node: string): NodeSelector | undefined {
  const matchFields: NodeSelectorRequirement[] = []
  const matchExpressions: NodeSelectorRequirement[] = []
  for (const { candidate } of devices) {
    const { device, slice } = candidate
    const { nodeName, nodeSelector } = slice.spec.perDeviceNodeSelection === true ? device : slice.spec
    if (nodeName !== undefined || device.bindsToNode === true)
      return { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }] }
    const [term] = nodeSelector?.nodeSelectorTerms ?? []
    addNew(matchFields, term?.matchFields ?? [])
    addNew(matchExpressions, term?.matchExpressions ?? [])
  }
  if (matchFields.length + matchExpressions.length === 0) return undefined
  const term = {
    ...(matchFields.length > 0 ? { matchFields } : {}),
    ...(matchExpressions.length > 0 ? { matchExpressions } : {}),
  }
  return { nodeSelectorTerms: [term] }
}

function addNew(into: NodeSelectorRequirement[], requirements: readonly NodeSelectorRequirement[]): void {
  const text = ({ key, operator, values = [] }: NodeSelectorRequirement) => JSON.stringify([key, operator, [...values].sort()])
  for (const requirement of requirements) if (!into.some(one => text(one) === text(requirement))) into.push(requirement)
}
