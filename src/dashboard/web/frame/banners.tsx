// What stands under the header while something is not as it should be: cut off, signed out, another version, frozen, the past.
import { useEffect } from 'preact/hooks'
import type { ActionButton, Overview } from '../../contract.ts'
import { thingFrozen } from '../../words/en.ts'
import { timeOfDay } from '../../words/time.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { unheardMarkup } from '../drawn/unheard.ts'
import { cutAtClusterMs, isConnected, link, retryNow, sharedNow, sources } from '../live/live.ts'
import { readingOf } from '../live/topics.ts'
import { ActionBar, useActions } from '../widgets/action-bar.tsx'
import { PastBanner } from '../widgets/past-banner.tsx'
import { beats } from './beats.ts'
import { disconnectedText } from './disconnected.ts'
import { announce } from './live-region.tsx'
import { at } from './past.ts'
import { address } from './router.tsx'
import { SignIn } from './sign-in.tsx'
import { now, zone } from './time.ts'

export function Banners() {
  return (
    <div class="frame-banners">
      <PastBanner />
      <LinkBanner />
      <UnheardBanner />
      <FrozenBanner />
    </div>
  )
}

function LinkBanner() {
  const state = link.value
  if (at.value !== undefined) return null
  switch (state.kind) {
    case 'waiting':
      return <CutBanner sinceMs={state.sinceMs} retryAtMs={state.retryAtMs} />
    case 'signed-out':
      return <SignIn error={state.error} />
    case 'outdated':
      return <OutdatedBanner />
    default:
      return null
  }
}

/** Without a connection nobody knows how the sources stand: then that is said alone. */
function UnheardBanner() {
  if (at.value !== undefined || !isConnected.value) return null
  const loading = readingOf<Overview>('overview').value.value?.loading?.text ?? null
  const markup = unheardMarkup(sources.value, address.value.path, loading)
  return markup === undefined ? null : <Drawn of={markup} />
}

function CutBanner({ sinceMs, retryAtMs }: { sinceMs: number; retryAtMs: number }) {
  // The wait is counted in our own time, whatever the cluster's does.
  void beats.value
  const nowMs = sharedNow()
  const cut = { forMs: nowMs - sinceMs, retryInMs: retryAtMs - nowMs, sinceClusterMs: cutAtClusterMs.value ?? now.value }
  const text = disconnectedText(cut, zone.value, now.value)
  const isTold = text !== undefined
  useEffect(() => {
    if (isTold) announce('Not connected.', true)
  }, [isTold])
  if (text === undefined) return null
  return (
    <div class="frame-banner frame-banner-cut">
      <p>{text}</p>
      <button type="button" class="widgets-button" onClick={retryNow}>
        Now
      </button>
    </div>
  )
}

function OutdatedBanner() {
  useEffect(() => {
    // Nobody reads it: then it may as well be new.
    const reload = () => document.hidden && location.reload()
    reload()
    document.addEventListener('visibilitychange', reload)
    return () => document.removeEventListener('visibilitychange', reload)
  }, [])
  return (
    <div class="frame-banner">
      <p>A new version is running.</p>
      <button type="button" class="widgets-button" onClick={() => location.reload()}>
        Reload
      </button>
    </div>
  )
}

function FrozenBanner() {
  const overview = readingOf<Overview>('overview').value.value
  if (overview?.freeze === null || overview?.freeze === undefined || overview.freeze.scope !== null) return null
  const { freeze, buttons } = overview
  const { since, by, reason } = freeze
  const time = since === null ? undefined : timeOfDay(Date.parse(since), zone.value, now.value)
  return <Frozen text={thingFrozen({ time, who: by, reason }).text} buttons={buttons.filter(({ action }) => action === 'thaw')} />
}

function Frozen({ text, buttons }: { text: string; buttons: readonly ActionButton[] }) {
  const acting = useActions(text)
  useEffect(() => announce(text, true), [text])
  return (
    <div class="frame-banner frame-banner-frozen">
      <p>{text}</p>
      <ActionBar buttons={buttons} acting={acting} of="the cluster" />
    </div>
  )
}
