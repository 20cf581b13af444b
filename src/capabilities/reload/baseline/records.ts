// What reload writes down for its next start: made before anything is watched.
import type { ControllerContext, Leading } from '#coordination/capability.ts'
import { BaselineStore } from './baseline-store.ts'
import { FirstStart } from './first-start.ts'

export interface Records {
  readonly baseline: BaselineStore
  readonly start: FirstStart
}

/** What is remembered of reloads, and of the first start. */
export function recordsOf({ api, clock, log, events, identity }: ControllerContext, leading: Leading): Records {
  const { namespace } = identity
  const tell = (reason: 'ReloadBaselineUnreadable' | 'ReloadBaselineFull') => (name: string, why: string) => {
    log.warn({ configmap: name, reason, why }, 'what is remembered of reloads is not whole')
    const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name }
    events.emit({ type: 'Warning', reason, action: 'Reload', regarding, note: why })
  }
  const around = { api, clock, log, leadership: leading.effects.leadership, namespace }
  const baseline = new BaselineStore({
    ...around,
    unreadable: tell('ReloadBaselineUnreadable'),
    full: tell('ReloadBaselineFull'),
  })
  return { baseline, start: new FirstStart(around, baseline) }
}
