// An upstream that nobody has: a chart with three keys, a Deployment, a Lease. It is rows alone, and shows what a further upstream costs.
import { byRows } from '#upstreams/convert-values.ts'
import { none, type Replaced, type Upstream } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { dropped, lostUnlessEmpty, same } from '#upstreams/values-row.ts'
import { type ValuesTree, withValue } from '#upstreams/values-tree.ts'

const id = 'fencer'
const rows = [
  same('logLevel', 'process.logLevel'),
  dropped('image.tag', 'Ballast is one image of its own'),
  lostUnlessEmpty('fence.colour', 'ours has no colour'),
]

/** Flags are the chart's keys: `--logLevel=debug`. */
function flagValues(workload: ValuesTree): ValuesTree {
  const args = upstreamContainer(workload, id)?.['args']
  return (Array.isArray(args) ? args.map(String) : []).reduce<ValuesTree>((values, word) => {
    const [key = '', value = ''] = word.replace(/^--/, '').split('=')
    return withValue(values, key.split('.'), value)
  }, {})
}

/** The value, for the capability that takes its place. */
export function fencerFor(capability: string): Upstream & { readonly replaced: Replaced } {
  const convert = byRows(rows, capability)
  return {
    ...none,
    name: 'Fencer',
    capability,
    workloads: [/^fencer$/],
    names: [id],
    images: ['example/fencer'],
    leases: ['fencer-lock'],
    twice: { verb: 'isolates' },
    replaced: {
      id,
      versions: ['1.0.0'],
      rows,
      convert,
      convertWorkload: (workload, { namespace }) => convert({ values: flagValues(workload), version: undefined, namespace }),
      plainKinds: ['Deployment'],
      swap: { part: { kind: 'section' }, does: 'isolates', reinstall: 'helm install fencer example/fencer --set replicas=0' },
    },
  }
}
