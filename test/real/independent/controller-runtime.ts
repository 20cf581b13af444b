// controller-runtime's own tests that can be pointed at a server. Of pkg/client/apiutil 12 fail on both servers: it is left out.
import type { GoSuite } from './go-suites.ts'

export const controllerRuntime: GoSuite = {
  module: 'sigs.k8s.io/controller-runtime',
  version: 'v0.24.1',
  packages: [
    'pkg/client',
    'pkg/cache',
    'pkg/manager',
    'pkg/builder',
    'pkg/cluster',
    'pkg/controller',
    'pkg/controller/controllerutil',
    'pkg/handler',
    'pkg/internal/controller',
    'pkg/internal/recorder',
    'pkg/metrics/filters',
    'pkg/reconcile',
    'pkg/source',
    'pkg/webhook',
    'pkg/envtest',
  ],
  skipped: [],
  failing: [],
  // Whether a cache has synced before its caller gives up is a race that both servers were seen to lose.
  unsteady: /should allow for get informer to be cancelled/,
}
