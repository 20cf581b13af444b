// The head of every page, alive.
import type { Overview } from '../../contract.ts'
import { age } from '../../words/age.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { navigationMarkup, statusMarkup } from '../drawn/header.ts'
import { linkOf } from '../drawn/unheard.ts'
import type { LinkState } from '../live/connection.ts'
import { link, sources } from '../live/live.ts'
import { onHost } from './base-path.ts'
import { clusterName } from './cluster-name.ts'
import { at } from './past.ts'
import { A, address, keepingMoment } from './router.tsx'
import { Search } from './search.tsx'
import { now, skewMs, zone } from './time.ts'

export function Header({ overview }: { overview: Overview | undefined }) {
  const mode = overview?.mode ?? 'cluster'
  const path = address.value.path
  const toHost = (target: string) => onHost(keepingMoment(target))
  const isPast = at.value !== undefined
  return (
    <header class="frame-header">
      <A href="/" class="frame-brand">
        Ballast
      </A>
      <Drawn of={navigationMarkup({ path, mode, pages: overview?.pages ?? [] }, { link: toHost })} />
      <Search />
      <Drawn
        of={statusMarkup(
          {
            cluster: clusterName.value,
            mode,
            speed: isPast ? undefined : (overview?.speed ?? null),
            state: linkState(isPast),
            clockNote: mode === 'cluster' ? skewNote() : undefined,
          },
          { nowMs: now.value, zone: zone.value, link: toHost },
        )}
      />
    </header>
  )
}

const toldSkewMs = 60_000

/** Ages are told by the cluster's clock; who looks at their own should know that it differs. */
function skewNote(): string | undefined {
  const skew = skewMs.value
  if (skew === undefined || Math.abs(skew) < toldSkewMs) return undefined
  return `The cluster's clock; the one of this browser is ${age(Math.abs(skew))} ${skew > 0 ? 'ahead' : 'behind'}`
}

const words = {
  idle: '○ resting',
  connecting: '◔ connecting',
  live: '● live',
  polling: '● polling',
  waiting: '✕ not connected',
  'signed-out': '✕ signed out',
  outdated: '✕ other version',
} as const satisfies Readonly<Record<LinkState['kind'], string>>

/** `● live` while the page hears its server, and that hears the cluster; of the past `past`. */
function linkState(isPast: boolean): { readonly kind: string; readonly text: string } {
  if (isPast) return { kind: 'past', text: '◷ past' }
  const { kind } = link.value
  const unheard = kind === 'live' || kind === 'polling' ? linkOf(sources.value) : undefined
  return unheard ?? { kind, text: words[kind] }
}
