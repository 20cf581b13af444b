// The KEDA HTTP add-on, whose place the capability `gateway` takes: its programs become ours within their own Deployments, so that its Services,
// which Ingresses and triggers name, lead to those pods that are ready all the while, and old and new ones count together.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Parsed } from '#process/drop-ins/parsed-settings.ts'
import { none, type TakenWords, type Upstream } from '#upstreams/upstream.ts'
import { parseInterceptor, parseScaler } from '../flags/add-on-settings.ts'
import { parseHttpOperator } from '../flags/operator-settings.ts'
import { httpGroup, operatorLease } from '../names.ts'
import { convertHttpAddOn, httpAddOnRows, httpAddOnVersions } from './http-add-on-rows.ts'
import { convertHttpAddOnWorkload, images } from './http-add-on-workload.ts'

const named = (pattern: RegExp) => (workload: KubeObject) => pattern.test(workload.metadata.name)
const isScaler = named(/-scaler$/)
const isOperator = named(/-(operator|controller-manager)$/)

export const httpAddOn: Upstream = {
  ...none,
  name: 'KEDA HTTP add-on',
  capability: 'gateway',
  workloads: [/^keda-add-ons-http-/],
  // Its plain manifests call all three `http`.
  names: ['keda-add-ons-http', 'http-add-on', 'http'],
  images: Object.values(images).map(name => `kedacore/${name}`),
  leases: [operatorLease],
  groups: [httpGroup],
  finalizers: [/^httpscaledobject\.http\.keda\.sh/],
  beside: () => `each has its own requests and counts, and the holder of Lease ${operatorLease} writes ScaledObjects`,
  replaced: {
    id: 'http-add-on',
    versions: httpAddOnVersions,
    knownVersions: /^v?0\.1[0-5]\.\d+$/,
    rows: httpAddOnRows,
    convert: convertHttpAddOn,
    convertWorkload: convertHttpAddOnWorkload,
    plainKinds: ['Deployment'],
    swap: {
      part: {
        kind: 'in-place',
        // The scaler comes first and goes last: ours also counts what waits at interceptors that end, as they do in a roll-out; upstream's does not.
        programs: [
          {
            command: 'scaler',
            image: images.scaler,
            isOf: isScaler,
            told: (words, environment) => taken(parseScaler(words, environment)),
          },
          {
            command: 'interceptor',
            image: images.interceptor,
            isOf: named(/-interceptor$/),
            told: (words, environment) => taken(parseInterceptor(words, environment)),
          },
          {
            command: 'http-operator',
            image: images.operator,
            isOf: isOperator,
            told: (words, environment) => taken(parseHttpOperator(words, environment)),
            electedBy: '--leader-elect',
          },
        ],
      },
      does: 'holds and counts requests',
      isCompanion: workload => isScaler(workload) || isOperator(workload),
      reinstall: 'helm install http-add-on kedacore/keda-add-ons-http -n keda',
    },
  },
}

/** What a start would end by, and what it would leave out. */
function taken<Settings>(parsed: Parsed<Settings>): TakenWords {
  if (!parsed.ok) {
    const refused = parsed.problems.map(
      ({ message, where, expected, found }) => message ?? `${where}: found ${found}, expected ${expected}`,
    )
    return { refused, unused: [] }
  }
  return { refused: parsed.refused.map(({ message, error }) => `${message}: ${error}`), unused: parsed.warnings }
}
