// Gives pods a greatest age: the worked example of docs/writing-a-capability.md.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'
import { restartPermission } from '#coordination/effects/restart.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { agesApi, startAges } from './ages.ts'
import { startRefresh } from './controller.ts'
import { doorPort, startDoor } from './door.ts'
import { startPresence } from './presence.ts'

export const refresh = capability({
  name: 'refresh',
  config: z.object({
    arbitration: z.enum(arbitrationModes).default('enforce').describe('which rules of the arbiter hold for it'),
    interval: z.int().min(1).max(3600).default(60).describe('seconds between two looks'),
    doorPort: z.int().min(0).max(65_535).default(doorPort).describe('where the gateway answers; 0 takes a free one'),
  }),
  kinds: ballastKinds,
  replaces: [],
  disrupts: ['restart'],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: clusterNeeds,
      permissions: [restartPermission],
      listeners: [],
      offers: [],
      takes: [],
      start: (context, config, signal) => startRefresh(context, config, signal),
    },
    {
      process: 'apiserver',
      presence: 'always',
      trust: 'edge',
      needs: [{ ...builtIn.deployments, kind: 'Deployment', mode: 'metadata' }],
      permissions: [],
      listeners: [{ kind: 'api-service', ...agesApi, resources: ['ages'], groupPriority: 100, versionPriority: 100 }],
      offers: [],
      takes: [],
      start: (context, _config, signal) => startAges(context, signal),
    },
    {
      process: 'gateway',
      presence: 'always',
      trust: 'gateway',
      needs: [],
      permissions: [],
      listeners: [{ kind: 'port', name: 'door', port: doorPort, protocol: 'TCP', exposure: 'pod' }],
      offers: [],
      takes: [],
      start: (_context, config) => startDoor(config),
    },
    {
      process: 'node',
      role: 'refresh',
      presence: 'always',
      trust: 'agent',
      needs: [],
      permissions: [],
      listeners: [],
      offers: [],
      takes: [],
      start: context => startPresence(context),
    },
  ],
  leaves: [],
  codes: { reason: { old: 'the permit is for new pods: those there are have reached their greatest age' } },
  page: async () => (await import('./page/refresh-page.ts')).refreshPage,
  commands: [
    {
      name: 'ages',
      usage: '[options]',
      about: 'prints which Deployments are due for new pods',
      load: async () => (await import('./commands/ages.ts')).defineAges,
    },
  ],
  upstreams: async () => [(await import('./swap/fencer.ts')).fencerFor('refresh')],
})
