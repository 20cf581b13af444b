// Capabilities that ask as ours do, for accounts in tests: what ours ask is with them, on floors above.
import type { Asker } from '../asker.ts'

export const testAskers: readonly Asker[] = [
  {
    name: 'deschedule',
    questions: [
      {
        name: 'move',
        words: 'move it',
        place: 1,
        about: 'pod',
        wish: ({ surging, requirements: { evictScaled: _, spareUnmanaged: __, ...asked }, places }) => ({
          verb: surging === undefined ? 'evict' : 'restart',
          purpose: 'move',
          class: 'balance',
          ...(surging === undefined ? {} : { targets: [surging] }),
          ...asked,
          ...places({ stays: surging !== undefined }),
        }),
      },
    ],
  },
  {
    name: 'isolate',
    questions: [
      {
        name: 'isolate',
        words: 'isolate it',
        place: 4,
        about: 'pod',
        wish: ({ requirements: { requireBudget: _, unlabelled: __, ...asked }, places }) => ({
          verb: 'evict',
          purpose: 'isolate',
          class: 'correctness',
          ...asked,
          ...places({ stays: false }),
        }),
      },
      { name: 'taint', words: 'taint it', place: 6, about: 'node', wish: () => ({ verb: 'taint', purpose: 'isolate', class: 'correctness' }) },
    ],
  },
  {
    name: 'reload',
    questions: [
      { name: 'restart', words: 'restart it', place: 2, about: 'rollout', wish: () => ({ verb: 'restart', purpose: 'reload', class: 'correctness' }) },
    ],
  },
]
