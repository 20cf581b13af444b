// What runs in a file that holds a replay: the player with the data beside it, and nothing of the page.
import { render } from 'preact'
import { useState } from 'preact/hooks'
import type { ReplayView } from '../contract-replay.ts'
import { printable } from '../words/names.ts'
import { LiveRegions } from './frame/live-region.tsx'
import { ReplayPlayer } from './replay/player.tsx'
import './frame/tokens.css'
import './frame/frame.css'
import './drawn/drawn.css'
import './widgets/widgets.css'

function ReplayFile({ views }: { views: readonly ReplayView[] }) {
  const [pool, setPool] = useState<string | null>(null)
  const view = views.find(one => one.pool === pool) ?? views[0]
  if (view === undefined) return null
  const inside = new Set(views.map(one => one.pool))
  return (
    <>
      <p class="widgets-muted">
        {`${printable(view.cluster)}, plan made ${printable(view.madeAt)}, ${view.phase}`}
        {pool === null ? null : (
          <>
            {' · pool '}
            <b>{printable(pool)}</b>{' '}
            <button type="button" class="widgets-link" onClick={() => setPool(null)}>
              All pools
            </button>
          </>
        )}
      </p>
      <ReplayPlayer
        key={pool ?? ''}
        view={view}
        say={({ text }) => printable(text)}
        draw={({ text }) => [printable(text)]}
        proofOf={({ proof }) => <p class="widgets-muted">{printable(proof.text)}</p>}
        onPool={views.length > 1 ? chosen => inside.has(chosen) && setPool(chosen) : undefined}
      />
      <LiveRegions />
    </>
  )
}

const place = document.getElementById('player')
const data = document.getElementById('replay')?.textContent
if (place !== null && data != null) {
  const views: readonly ReplayView[] = JSON.parse(data)
  place.replaceChildren()
  render(<ReplayFile views={views} />, place)
}
