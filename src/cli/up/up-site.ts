// What `ballast up` shows beside its story: the page, and below the story on a terminal the view that lives.

import { spawn } from 'node:child_process'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { gatewayDoorPort } from '#coordination/ports/gateway-door.ts'
import { usagePort } from '#coordination/ports/usage.ts'
import { openActions } from '#dashboard/actions/actions.ts'
import { dashboardSchema } from '#dashboard/configuration.ts'
import { ChangingSource } from '#dashboard/source/changing-source.ts'
import { openLiveSource, type PictureSettings } from '#dashboard/source/live-source.ts'
import { LoadingSource } from '#dashboard/source/loading-source.ts'
import { LiveView } from '#dashboard/terminal/live-view.ts'
import { lowerScreen, type Screen, type Tty } from '#dashboard/terminal/screen.ts'
import { overviewOf } from '#dashboard/views/overview.ts'
import { everything } from '#dashboard/views/viewing.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import type { PacedClock } from '#kube/time/paced-clock.ts'
import { programVersion } from '#kube/version.ts'
import { type ControllerSettings, fixedSettings, type SettingsFeed } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { Surroundings } from '../command-line.ts'
import { bundleWords, openPage, pageBundle } from '../page/page.ts'
import { PageTransport } from '../page/page-transport.ts'
import { nameOfPath, shownCapabilities } from '../source/fixed-picture.ts'
import { interruptAll, processTty, restoredOnEnd, suspendAll } from '../terminal/process-tty.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { hasColours, labelsOf, ownZone } from '../terminal/view-options.ts'
import type { EmbeddedCluster } from './embedded-cluster.ts'
import type { TwinLives } from './twin-lives.ts'
import type { UpOptions } from './up-options.ts'
import type { Loaded } from './up-run.ts'

interface SiteOptions {
  readonly options: UpOptions
  readonly surroundings: Surroundings
  readonly clock: PacedClock
  readonly lives: TwinLives
  readonly tty: Tty | undefined
  readonly seed: number
  /** The source as users name it. */
  readonly shown: string
  readonly log: Log
}

interface Following {
  /** What the controller of the twin goes by. */
  readonly feed: SettingsFeed
  readonly signal: AbortSignal
}

export interface UpSite extends AsyncDisposable {
  /** Where the story goes: above the view, where there is one. */
  readonly terminal: Terminal
  readonly url: string | undefined
  /** Whether keys on the terminal act. */
  readonly readsKeys: boolean
  /** Says that a cluster is being loaded, and of what size. */
  load(loaded: Loaded): void
  /** Shows this cluster from now on; disposing leaves it. */
  follow(cluster: EmbeddedCluster, informers: Informers, following: Following): Promise<AsyncDisposable>
}

/** The terminal for a view below the story; none where log lines would run through it. */
export function viewTty({ verbose }: UpOptions, { environment }: Surroundings): Tty | undefined {
  return verbose === true ? undefined : processTty(environment)
}

/** Opens the page, and draws on the terminal from then on. The port listens when this resolves; the cluster may still have to be loaded. */
export async function openUpSite(given: SiteOptions): Promise<UpSite> {
  const { options, surroundings, clock, lives, tty, seed, shown, log } = given
  await using opened = new AsyncDisposableStack()
  // The bundle is built, where it has to be, while the source is read and the twin is loaded.
  const bundle = options.dashboard ? opened.use(pageBundle(surroundings, log)) : undefined
  // Nothing is configured before the source is read.
  const settings = pictureSettings(fixedSettings({ capabilities: enabledCapabilities }).current)
  const cluster = nameOfPath(options.cluster)
  const loading = () => new LoadingSource({ clock, random: systemRandom, mode: 'twin', cluster, settings, shown })
  const source = new ChangingSource(loading())
  const transport = new PageTransport('the twin is being loaded')
  const api = openApi(transport, { clock: systemClock, userAgent: `ballast/${programVersion} page`, log })
  opened.defer(() => api.close())
  const actions = opened.use(openActions({ random: systemRandom, log, twin: lives }))
  const page =
    bundle === undefined
      ? undefined
      : opened.use(
          await openPage(
            {
              configuration: dashboardSchema.parse({}),
              port: options.port,
              hasKey: options.key === true,
              source,
              api,
              viewerApi: () => api,
              actions,
              bundle,
              log,
              origins: { file: undefined, flags: { 'dashboard.listen': '--port' } },
            },
            surroundings,
          ),
        )
  const url = page?.url
  const screen = tty === undefined ? undefined : lowerScreen(tty)
  const terminal = screen === undefined ? surroundings.terminal : above(surroundings.terminal, screen)
  if (tty !== undefined && screen !== undefined) {
    opened.use(restoredOnEnd(() => screen.end()))
    const view = opened.use(
      new LiveView({
        tty,
        screen,
        source,
        overview: () => overviewOf(source.current(), everything),
        clock: systemClock,
        hasColours: hasColours(surroundings),
        view: { zone: ownZone(), labelsOf: labelsOf(() => source.current()) },
        act: (action, body) => actions.perform(action, body, { viewer: everything.viewer, api, picture: source.current() }),
        ...(url === undefined ? {} : { openPage: () => openInBrowser(url) }),
        onEnd: interruptAll,
        onInterrupt: interruptAll,
        onSuspend: () => suspendAll(screen, () => view.refresh()),
      }),
    )
  }
  void bundle?.ready.then(() => {
    if (bundle.problem !== undefined) terminal.say(bundleWords(bundle.problem))
  })
  const whole = opened.move()
  return {
    terminal,
    url,
    readsKeys: tty !== undefined && process.stdin.isTTY === true,
    load: loaded => {
      const next = loading()
      next.tell(0, loaded.objects.length)
      source.show(next)
    },
    follow: async (twin, informers, { feed, signal }) => {
      await using followed = new AsyncDisposableStack()
      transport.show(twin.twin.transport({ admin: true }))
      followed.defer(() => {
        // Nothing is loaded after the end: what was shown last stays until everything is over.
        if (lives.isReset) source.show(loading())
        transport.show(undefined)
      })
      const scheduler = settingsForServer(await gitVersionOf(twin, signal))
      const live = followed.use(
        openLiveSource({
          informers: informers.share({ signal }),
          api: twin.admin,
          clock,
          wallClock: systemClock,
          random: systemRandom,
          mode: 'twin',
          cluster,
          settings: () => ({ ...pictureSettings(feed.current), scheduler }),
          measured: () => twin.ports.take(usagePort),
          gateways: () => twin.ports.take(gatewayDoorPort),
          twin: { source: shown, seed, pulls: () => twin.twin.imagePulls },
          log,
          signal,
        }),
      )
      void live.ready.then(() => {
        if (!signal.aborted) source.show(live)
      })
      return followed.move()
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}

/** What the page judges by: as the controller of `up`. */
function pictureSettings(current: ControllerSettings): PictureSettings {
  return {
    arbiter: current.arbiter,
    ownerLabel: current.ownerLabel,
    scheduler: settingsForServer('v1.34.0'),
    ownNamespace: ballastNamespace,
    ...shownCapabilities(current),
  }
}

async function gitVersionOf({ admin }: EmbeddedCluster, signal: AbortSignal): Promise<string> {
  const version = await admin.getPath('/version', { signal })
  return typeof version === 'object' && version !== null && 'gitVersion' in version ? String(version.gitVersion) : 'v1.34.0'
}

/** Words go through the view as well where they would be written into it. */
function above(terminal: Terminal, screen: Screen): Terminal {
  const print = (text: string) => screen.print(text)
  return { ...terminal, write: print, say: process.stderr.isTTY === true ? print : terminal.say }
}

const openers: Readonly<Partial<Record<NodeJS.Platform, readonly [command: string, ...before: string[]]>>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
}

/** Asks the desktop to show `url`, and says so; where there is no desktop the address is all there is. */
function openInBrowser(url: string): string {
  const [command, ...before] = openers[process.platform] ?? ['xdg-open']
  const opener = spawn(command, [...before, url], { detached: true, stdio: 'ignore' })
  opener.on('error', () => undefined) // there is no desktop here
  opener.unref()
  return `The page is ${url}`
}
