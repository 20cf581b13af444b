// Over a page of the past: which moment it shows, how long ago that is, and the way back.
import { useEffect, useState } from 'preact/hooks'
import { ago } from '../../words/age.ts'
import { apiPath } from '../../words/links.ts'
import { timeOfDay } from '../../words/time.ts'
import { onHost } from '../frame/base-path.ts'
import { at } from '../frame/past.ts'
import { setQuery } from '../frame/router.tsx'
import { zone } from '../frame/time.ts'
import './widgets.css'

const renewEveryMs = 30_000

/** `Showing 14:00:00, 3m20s ago · Back to now`; nothing while the page shows the present. */
export function PastBanner() {
  const moment = at.value
  const presentMs = usePresent(moment !== undefined)
  if (moment === undefined) return null
  const ms = Date.parse(moment)
  const isTime = !Number.isNaN(ms)
  return (
    <p class="widgets-past" role="status">
      {/* One piece: the pieces of a banner stand apart. */}
      <span>
        Showing {isTime ? <time dateTime={moment}>{timeOfDay(ms, zone.value, presentMs ?? ms)}</time> : JSON.stringify(moment)}
        {isTime && presentMs !== undefined ? `, ${ago(presentMs - ms)}` : ''} ·{' '}
        <button type="button" class="widgets-link" onClick={() => setQuery({ at: null }, { replace: false })}>
          Back to now
        </button>
      </span>
    </p>
  )
}

/** The cluster's present, which a page of the past is not told by a stream. */
function usePresent(isWanted: boolean): number | undefined {
  const [presentMs, setPresent] = useState<number>()
  useEffect(() => {
    if (!isWanted) return
    const ask = () => void present().then(setPresent)
    ask()
    const timer = setInterval(ask, renewEveryMs)
    return () => clearInterval(timer)
  }, [isWanted])
  return presentMs
}

async function present(): Promise<number | undefined> {
  try {
    const response = await fetch(onHost(apiPath(['version'])), { cache: 'no-store' })
    const ms = Date.parse(response.headers.get('Ballast-Now') ?? '')
    return Number.isNaN(ms) ? undefined : ms
  } catch {
    // Not connected: the moment is told without how long ago it is.
    return undefined
  }
}
