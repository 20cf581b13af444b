// What whoever watches over rebalancing is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const rebalanceAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastRebalanceStuck',
    expr: 'max by (policy) (ballast_rebalance_stuck) == 1',
    for: '0m',
    severity: 'warning',
    summary: 'Plans of RebalancePolicy {{ $labels.policy }} bring its goals no nearer.',
    description:
      'Its goals stay missed, look after look. The condition Progressing of the policy says by how much, its last plan what stands in the way.',
  },
]

export const rebalancePanels: PanelRow = {
  title: 'Rebalancing',
  panels: [
    { title: 'Points by which goals are missed', expr: 'sum by (policy, goal) (ballast_rebalance_goal_shortfall_points)' },
    {
      title: 'Moves',
      expr: 'sum by (policy, result) (rate(ballast_rebalance_moves_total[$__rate_interval]))',
      unit: 'ops',
    },
    {
      title: 'Length of the last plan, foretold and real',
      expr: 'max by (policy, when) (ballast_rebalance_plan_seconds)',
      unit: 's',
    },
    { title: 'Pods that left, of what limits allow', expr: 'max by (policy, limit) (ballast_rebalance_limit_used)' },
  ],
}
