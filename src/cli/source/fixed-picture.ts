// A cluster that was read once, as a picture: what views are made from.
import { basename, resolve } from 'node:path'
import type { Picture, PictureSource } from '#dashboard/picture.ts'
import { newEpoch } from '#dashboard/source/epoch.ts'
import { systemRandom } from '#kube/random.ts'
import type { ControllerSettings } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { AccountSource } from '../account/account-source.ts'
import { schedulerOf } from './scheduler-source.ts'

/** What `read` is at its present. */
export function fixedPicture(read: AccountSource): Picture {
  const { cluster, book, observed, nowMs, settings } = read
  return {
    sequence: 1,
    epoch: newEpoch(systemRandom),
    nowMs,
    mode: 'cluster',
    cluster: cluster.isLive ? hostOf(cluster.shown) : nameOfPath(cluster.shown),
    state: cluster.state,
    book,
    observed,
    arbiter: settings.arbiter,
    ownerLabel: settings.ownerLabel,
    scheduler: schedulerOf(cluster),
    ownNamespace: ballastNamespace,
    ...shownCapabilities(settings),
    sources: [],
    twin: undefined,
    loading: undefined,
  }
}

/** A source whose picture stays. */
export function fixedSource(picture: Picture): PictureSource {
  return { current: () => picture, onChange: () => () => undefined }
}

/** `examples/talos-homelab` is `talos-homelab`. */
export function nameOfPath(path: string): string {
  return path === '-' ? 'standard input' : basename(resolve(path)).replace(/\.(ya?ml|json)(\.gz)?$/, '')
}

/** `https://10.0.0.1:6443` is `10.0.0.1:6443`. */
export function hostOf(server: string): string {
  return URL.canParse(server) ? new URL(server).host : server
}

/** What a picture says of capabilities: those that are on, and all that this program has. */
export function shownCapabilities(settings: ControllerSettings): Pick<Picture, 'capabilities' | 'askers'> {
  const names = Object.entries(settings.capabilities).flatMap(([name, { isEnabled }]) => (isEnabled ? [name] : []))
  return { capabilities: names, askers: enabledCapabilities }
}
