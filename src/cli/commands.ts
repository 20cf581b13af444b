// The commands by name, each with the file that it is in.
import type { about } from './about.ts'
import type { DefineCommand } from './command-line.ts'

interface Listed {
  /** After the name, as the help shows it. */
  readonly usage: string
  readonly load: () => Promise<DefineCommand>
}

/** Only the command that is asked for is loaded: a controller carries nothing of the twin, and the help of all loads none. */
export const commands: Readonly<Record<keyof typeof about, Listed>> = {
  up: { usage: '[options]', load: async () => (await import('./up.ts')).defineUp },
  twin: { usage: '[options]', load: async () => (await import('./twin.ts')).defineTwin },
  top: { usage: '[options]', load: async () => (await import('./top.ts')).defineTop },
  dashboard: { usage: '[options]', load: async () => (await import('./dashboard.ts')).defineDashboard },
  snapshot: { usage: '[options]', load: async () => (await import('./snapshot.ts')).defineSnapshot },
  plan: { usage: '[options]', load: async () => (await import('./plan.ts')).definePlan },
  simulate: { usage: '[options]', load: async () => (await import('./simulate.ts')).defineSimulate },
  isolate: { usage: '[options] <node>', load: async () => (await import('./isolate.ts')).defineIsolate },
  why: { usage: '[options] <kind/name>', load: async () => (await import('./why.ts')).defineWhy },
  permits: { usage: '[options]', load: async () => (await import('./permits.ts')).definePermits },
  shadow: { usage: '[options]', load: async () => (await import('./shadow.ts')).defineShadow },
  migrate: { usage: '', load: async () => (await import('./migrate.ts')).defineMigrate },
  doctor: { usage: '[options] [area...]', load: async () => (await import('./doctor.ts')).defineDoctor },
  manifests: { usage: '[options]', load: async () => (await import('./manifests.ts')).defineManifests },
  chart: { usage: '[options]', load: async () => (await import('./chart.ts')).defineChart },
  'node-config': { usage: '', load: async () => (await import('./node-config.ts')).defineNodeConfig },
  uninstall: { usage: '[options]', load: async () => (await import('./uninstall.ts')).defineUninstall },
  controller: { usage: '[options]', load: async () => (await import('./controller-command.ts')).defineController },
  apiserver: { usage: '[options]', load: async () => (await import('./apiserver-command.ts')).defineApiserver },
  gateway: { usage: '[options]', load: async () => (await import('./gateway-command.ts')).defineGateway },
  agent: { usage: '[options]', load: async () => (await import('./agent-command.ts')).defineAgent },
  reloader: { usage: '[options]', load: async () => (await import('./reloader.ts')).defineReloader },
  descheduler: { usage: '[options] [words...]', load: async () => (await import('./descheduler.ts')).defineDescheduler },
  spegel: { usage: '[options]', load: async () => (await import('./spegel.ts')).defineSpegel },
  'readiness-condition-reporter': {
    usage: '[options]',
    load: async () => (await import('./readiness-condition-reporter.ts')).defineReadinessConditionReporter,
  },
}
/** Whether a word on the command line is a command's name. */
export const isCommand = (word: string | undefined): word is keyof typeof about =>
  word !== undefined && Object.hasOwn(commands, word)
