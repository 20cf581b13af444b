// The twin's own kinds as CustomResourceDefinitions: served by twins alone, never part of what Ballast installs.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { randomUuid, seededRandom } from '#kube/random.ts'
import { crd } from '#kube/schema/crd.ts'
import { faultSpec, twinGroup } from '../faults/fault-spec.ts'
import { clockName, clockSpec, clockStatus } from './clock-spec.ts'
import { stageSpec, stageStatus } from './stage-spec.ts'
import { conditions } from './status-fields.ts'
import { usageSpec, usageStatus } from './usage-spec.ts'

const twinVersion = 'v1alpha1'

const common = { group: twinGroup, scope: 'Cluster', categories: ['twin'] } as const
const version = { name: twinVersion, served: true, storage: true } as const

const faultStatus = z.strictObject({ fired: z.int().exactOptional().describe('how often it did what it does'), conditions })

const definitions = [
  crd({
    ...common,
    kind: 'TwinClock',
    versions: [
      {
        ...version,
        spec: clockSpec,
        status: clockStatus,
        cel: [{ rule: `self.metadata.name == '${clockName}'`, message: `there is one clock, named ${clockName}` }],
        printerColumns: [
          { name: 'Now', type: 'string', jsonPath: '.status.now' },
          { name: 'Speed', type: 'string', jsonPath: '.status.speed' },
          { name: 'Paused', type: 'boolean', jsonPath: '.status.paused' },
          { name: 'Settled', type: 'boolean', jsonPath: '.status.settled' },
        ],
      },
    ],
  }),
  crd({
    ...common,
    kind: 'TwinFault',
    versions: [
      {
        ...version,
        spec: faultSpec,
        status: faultStatus,
        printerColumns: [{ name: 'Fired', type: 'integer', jsonPath: '.status.fired' }],
      },
    ],
  }),
  crd({ ...common, kind: 'TwinUsage', versions: [{ ...version, spec: usageSpec, status: usageStatus }] }),
  crd({
    ...common,
    kind: 'TwinStage',
    versions: [
      {
        ...version,
        spec: stageSpec,
        status: stageStatus,
        printerColumns: [
          { name: 'Group', type: 'string', jsonPath: '.spec.ref.group' },
          { name: 'Kind', type: 'string', jsonPath: '.spec.ref.kind' },
          { name: 'Played', type: 'integer', jsonPath: '.status.played' },
        ],
      },
    ],
  }),
]

/** The definitions, with UIDs of their own: their being there must not move the twin's other choices. */
export function twinDefinitions(): readonly KubeObject[] {
  const random = seededRandom(0x7719)
  return definitions.map(definition => ({
    ...definition,
    metadata: { ...definition.metadata, uid: randomUuid(random) },
  }))
}

const kinds = new Set(definitions.map(definition => definition.spec.names.kind))

/** Whether an object is of one of these kinds. */
export function isTwinKind(object: KubeObject): boolean {
  return object.apiVersion === `${twinGroup}/${twinVersion}` && kinds.has(object.kind)
}
