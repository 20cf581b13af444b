// The nodes of the overview: as bars, as a map, or as a table, the choice kept in the address.
import { useMemo } from 'preact/hooks'
import type { Overview } from '../../contract.ts'
import { counted } from '../../words/grammar.ts'
import { count } from '../../words/quantity.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { compactRows, legendMarkup, nodeRowsMarkup } from '../drawn/node-rows.ts'
import { onHost } from '../frame/base-path.ts'
import { address, keepingMoment, setQuery } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { sources } from '../live/live.ts'
import { nodesOf } from './node-columns.ts'
import { NodeMap } from './node-map.tsx'
import { type Resource, worstFirst } from './node-order.ts'
import { NodeTable } from './node-table.tsx'
import './nodes.css'

type View = 'bars' | 'map' | 'table'

const viewWords: readonly (readonly [View, string])[] = [
  ['bars', 'Bars'],
  ['map', 'Map'],
  ['table', 'Table'],
]
const resources: readonly (readonly [Resource, string])[] = [
  ['cpu', 'CPU'],
  ['memory', 'Memory'],
  ['pods', 'Pods'],
]

export function NodesSection({ overview }: { overview: Overview }) {
  const nodes = nodesOf(overview)
  const views = viewWords.filter(([name]) => name !== 'bars' || overview.totals.nodes <= compactRows)
  const asked = address.value.query.get('nodes')
  const view = views.find(([name]) => name === asked)?.[0] ?? views[0]?.[0] ?? 'table'
  const resource = resources.find(([name]) => name === address.value.query.get('resource'))?.[0] ?? 'cpu'
  const ordered = useMemo(
    () => (view === 'map' ? worstFirst(nodes, overview.goals, resource) : nodes),
    [nodes, overview.goals, resource, view],
  )
  return (
    <section class="overview-section overview-nodes" aria-labelledby="nodes">
      <div class="overview-head">
        <h2 id="nodes">
          Nodes <span class="drawn-count">{count(overview.totals.nodes)}</span>
        </h2>
        <span class="drawn-muted">{counted(overview.totals.pods.count, 'pod')}</span>
        {view === 'bars' ? <Drawn of={legendMarkup()} /> : null}
        <span class="overview-spring" />
        {view === 'map' ? (
          <select
            class="widgets-select"
            aria-label="What the map shows"
            value={resource}
            onChange={event => setQuery({ resource: event.currentTarget.value === 'cpu' ? null : event.currentTarget.value })}
          >
            {resources.map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        ) : null}
        <fieldset class="nodes-views">
          <legend class="frame-unseen">Show the nodes as</legend>
          {views.map(([name, text]) => (
            <button
              key={name}
              type="button"
              class="nodes-view"
              aria-pressed={name === view}
              onClick={() => setQuery({ nodes: name === views[0]?.[0] ? null : name })}
            >
              {text}
            </button>
          ))}
        </fieldset>
      </div>
      {nodes.length < overview.totals.nodes ? (
        <div class="nodes-waiting" aria-busy="true">{`Loading ${counted(overview.totals.nodes, 'node')}…`}</div>
      ) : null}
      {view === 'bars' && nodes.length > 0 ? <Bars overview={overview} /> : null}
      {view === 'map' && nodes.length > 0 ? (
        <NodeMap nodes={ordered} goals={overview.goals} resource={resource} pods={overview.totals.pods.count} />
      ) : null}
      {view === 'table' && nodes.length > 0 ? <NodeTable nodes={ordered} /> : null}
    </section>
  )
}

function Bars({ overview }: { overview: Overview }) {
  // Only what is said of nodes that are not ready grows with time.
  const isTimed = overview.nodes.some(({ ready }) => !ready)
  const surroundings = {
    nowMs: isTimed ? now.value : now.peek(),
    zone: zone.value,
    link: (path: string) => onHost(keepingMoment(path)),
  }
  return <Drawn of={nodeRowsMarkup({ nodes: overview.nodes, goals: overview.goals, sources: sources.value }, surroundings)} />
}
