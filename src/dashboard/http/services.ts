// What the routes of one dashboard share.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { AccessBook } from '../access/access-book.ts'
import type { TokenDoor } from '../access/token-door.ts'
import type { Door } from '../access/viewer.ts'
import type { Actions } from '../actions/actions.ts'
import type { Bundle } from '../build/bundle.ts'
import type { DashboardConfiguration } from '../configuration.ts'
import type { SettingRow } from '../contract.ts'
import type { PageOptions } from '../page/page.ts'
import type { Picture, PictureSource } from '../picture.ts'
import type { Hub } from '../stream/hub.ts'
import type { Viewing } from '../views/viewing.ts'
import type { RequestMetrics } from './request-metrics.ts'

export interface Services {
  readonly configuration: DashboardConfiguration
  readonly source: PictureSource
  readonly hub: Hub
  readonly clock: Clock
  readonly log: Log
  readonly metrics: RequestMetrics | undefined
  readonly access: AccessBook
  readonly door: Door
  /** Door of mode `token`. */
  readonly tokens: TokenDoor | undefined
  /** Undefined: no action is registered. */
  readonly actions: Actions | undefined
  readonly isActing: (picture: Picture) => boolean
  readonly bundle: Bundle
  readonly pageHtml: (page: PageOptions) => string
  readonly terminalView: (picture: Picture, viewing: Viewing) => string
  readonly settings: readonly SettingRow[]
  readonly version: string
  /** Aborted when the dashboard ends. */
  readonly signal: AbortSignal
}
