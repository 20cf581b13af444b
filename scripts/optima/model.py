"""What is the best plan for a cluster? An independent answer, to hold Ballast's planner to.

It reads a dump (objects, policy, time, quarantines) and knows the goals and rules from docs/rebalancing.md alone; it shares no code with
the planner and another solver proves its answers: CP-SAT of Google's OR-tools. Per dump it prints one line of JSON:

  assignment  the least shortfall of the goals in percentage points and then the least cost, orders of moves left aside
  sequence    the same where every move needs room at its time: one move after the other, a pod may stop at one node on its way.
              `null`: the cluster is too large for that question and no order was found for the assignment.
"""

import json
import math
import sys
from datetime import datetime
from fractions import Fraction
from math import floor

import ortools
from ortools.sat.python import cp_model

MIB = 2**20
DAY_MS = 24 * 3600 * 1000
MOST_PLACES = 20_000  # places of pods times steps, of a question that asks for every order
MOST_PLACES_OF_SHORT = 40_000  # of one that asks for short orders only
SECONDS = 240


def amount(resource, text):
    """Millicores, bytes or a count."""
    text = str(text)
    if resource == "cpu":
        return int(text[:-1]) if text.endswith("m") else int(text) * 1000
    if text.endswith("Mi"):
        return int(text[:-2]) * MIB
    return int(text)


class Cluster:
    def __init__(self, dump):
        self.policy = dump["policy"]
        self.now = dump["nowMs"]
        self.quarantined = dump["quarantined"]
        by_kind = {}
        for thing in dump["objects"]:
            by_kind.setdefault(thing["kind"], []).append(thing)
        self.kinds = by_kind
        self.nodes = [Node(each) for each in by_kind["Node"]]
        self.at = {node.name: i for i, node in enumerate(self.nodes)}
        self.pods = [Pod(each, self) for each in by_kind["Pod"]]
        for pod in self.pods:
            pod.places = self.places(pod) if self.may_move(pod) else []

    def find(self, kind, name, namespace=None):
        for each in self.kinds.get(kind, []):
            meta = each["metadata"]
            if meta["name"] == name and meta.get("namespace") == namespace:
                return each
        return None

    def may_move(self, pod):
        """The table `Which pods may move`, as far as the dumps have of it."""
        if pod.kind == "DaemonSet":
            return False
        label = "scaling.talos.io/managed-by"
        space = self.find("Namespace", pod.namespace)
        owners = [holder["metadata"].get("labels", {}).get(label) for holder in (pod.object, pod.workload, space)]
        if next((owner for owner in owners if owner is not None), None) != "descheduler":
            return False
        if self.quarantined.get(f"{pod.namespace}/{pod.kind}/{pod.workload_name}", 0) > self.now:
            return False
        budgets = [b for b in self.kinds.get("PodDisruptionBudget", []) if selects(b, pod)]
        return len(budgets) == 1 and self.allowed(budgets[0]) > 0

    def allowed(self, budget):
        spec = budget["spec"]
        covered = [each for each in self.pods if selects(budget, each)]
        wanted = spec.get("minAvailable", spec.get("maxUnavailable"))
        count = math.ceil(int(wanted[:-1]) * len(covered) / 100) if isinstance(wanted, str) else wanted
        desired = count if "minAvailable" in spec else len(covered) - count
        return len(covered) - max(0, desired)

    def places(self, pod):
        note = (pod.workload["metadata"].get("annotations") or {}).get("ballast.dev/last-move")
        back = None
        if note is not None:
            source, rest = note.split("→")
            target, at = rest.split("@")
            moved = datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000
            if target == pod.node and self.now - moved < DAY_MS:
                back = source
        return [i for i, node in enumerate(self.nodes) if node.name not in (pod.node, back) and self.runs_on(pod, node)]

    def runs_on(self, pod, node):
        spec = pod.object["spec"]
        if node.is_cordoned or any(not tolerated(taint, spec.get("tolerations", [])) for taint in node.taints):
            return False
        if any(node.labels.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
            return False
        required = spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
        if required is not None and not matches_terms(required, node):
            return False
        for volume in pod.volumes:
            bound = volume["spec"].get("nodeAffinity", {}).get("required")
            if bound is not None and not matches_terms(bound, node):
                return False
        return all(amount <= node.size[resource] for resource, amount in pod.requests.items())


class Node:
    def __init__(self, thing):
        self.name = thing["metadata"]["name"]
        self.labels = thing["metadata"].get("labels", {})
        self.size = {r: amount(r, thing["status"]["allocatable"][r]) for r in ("cpu", "memory", "pods")}
        self.taints = [t for t in thing["spec"].get("taints", []) if t["effect"] in ("NoSchedule", "NoExecute")]
        self.is_cordoned = thing["spec"].get("unschedulable", False)


class Pod:
    def __init__(self, thing, cluster):
        meta = thing["metadata"]
        self.object = thing
        self.namespace = meta["namespace"]
        self.name = meta["name"]
        self.node = thing["spec"]["nodeName"]
        self.labels = meta["labels"]
        owner = meta["ownerReferences"][0]
        if owner["kind"] == "ReplicaSet":
            owner = cluster.find("ReplicaSet", owner["name"], self.namespace)["metadata"]["ownerReferences"][0]
        self.kind, self.workload_name = owner["kind"], owner["name"]
        self.workload = cluster.find(self.kind, self.workload_name, self.namespace)
        requests = [c["resources"]["requests"] for c in thing["spec"]["containers"]]
        self.requests = {r: sum(amount(r, each[r]) for each in requests) for r in ("cpu", "memory")} | {"pods": 1}
        claims = [v["persistentVolumeClaim"]["claimName"] for v in thing["spec"].get("volumes", [])]
        self.claims = [cluster.find("PersistentVolumeClaim", each, self.namespace) for each in claims]
        self.volumes = [cluster.find("PersistentVolume", each["spec"]["volumeName"]) for each in self.claims]
        affinity = thing["spec"].get("affinity", {}).get("podAntiAffinity")
        # The dumps have one kind of it: no two pods of the workload on one node.
        self.is_apart = affinity is not None
        self.places = []

    @property
    def key(self):
        """Pods of one workload on one node are alike."""
        return (self.namespace, self.kind, self.workload_name, self.node)

    def cost(self, objective):
        """Section 3.15 of the design: thousandths; a stateless replica of no priority is 1."""
        if objective == "moves":
            return 1
        holds = any(not {"ReadWriteMany", "ReadOnlyMany"} & set(c["spec"]["accessModes"]) for c in self.claims)
        replicas = self.workload["spec"]["replicas"]
        is_surge = self.kind == "Deployment" and replicas == 1 and not holds
        factor = 3 if replicas == 1 and not is_surge else 2 if self.kind == "StatefulSet" else 1
        base = min(10.0, max(-10.0, 1 + self.object["spec"].get("priority", 0) / 2**25))
        return max(1, floor(max(0.1, base) * (factor + (1 if holds else 0)) * 1000 + 0.5))


def selects(budget, pod):
    wanted = budget["spec"]["selector"]["matchLabels"]
    return budget["metadata"]["namespace"] == pod.namespace and all(pod.labels.get(k) == v for k, v in wanted.items())


def tolerated(taint, tolerations):
    return any(
        each.get("operator") == "Exists" and each.get("key") in (None, taint["key"]) and each.get("effect") in (None, taint["effect"])
        for each in tolerations
    )


def matches_terms(selector, node):
    def holds(expression):
        if expression["operator"] != "In":
            raise ValueError(f"operator {expression['operator']} is not read")
        return node.labels.get(expression["key"]) in expression["values"]

    return any(all(holds(each) for each in term["matchExpressions"]) for term in selector["nodeSelectorTerms"])


class Rows:
    """Goals as whole bounds: (node, resource, 'max' or 'min', bound, hard)."""

    def __init__(self, cluster, with_margin):
        self.rows = []
        for goal in cluster.policy["goals"]:
            margin = Fraction(goal["margin"]) if with_margin else Fraction(0)
            for name in goal["nodes"]:
                i = cluster.at[name]
                size = cluster.nodes[i].size[goal["resource"]]
                if "max" in goal:
                    # Strictly below.
                    bound = math.ceil((Fraction(str(goal["max"])) - margin) * size / 100) - 1
                    self.rows.append((i, goal["resource"], "max", bound, goal["hard"]))
                if "min" in goal:
                    bound = floor((Fraction(str(goal["min"])) + margin) * size / 100) + 1
                    self.rows.append((i, goal["resource"], "min", bound, goal["hard"]))
        self.scale = math.lcm(*(cluster.nodes[i].size[r] for i, r, *_ in self.rows))

    def weight(self, cluster, row):
        return 100 * self.scale // cluster.nodes[row[0]].size[row[1]]

    def hold(self, cluster):
        load = loads(cluster)
        return all((load[i][r] <= bound) if way == "max" else (load[i][r] >= bound) for i, r, way, bound, _ in self.rows)


def loads(cluster):
    sums = [dict(cpu=0, memory=0, pods=0) for _ in cluster.nodes]
    for pod in cluster.pods:
        for resource, each in pod.requests.items():
            sums[cluster.at[pod.node]][resource] += each
    return sums


def ceiling(cluster, i, resource, load):
    most = floor(Fraction(str(cluster.policy["headroom"][resource])) * cluster.nodes[i].size[resource] / 100)
    return max(most, load[i][resource])


def add_goals(model, cluster, rows, load_of, allow_shortfall=True):
    """The shortfall as an expression, in units of 1/scale percentage points."""
    terms = []
    for row in rows.rows:
        i, resource, way, bound, hard = row
        value = load_of(i, resource)
        if hard or not allow_shortfall:
            model.add(value <= bound) if way == "max" else model.add(value >= bound)
            continue
        most = max(cluster.nodes[i].size[resource] * 2, 1)
        short = model.new_int_var(0, most, f"short{len(terms)}")
        model.add(short >= value - bound) if way == "max" else model.add(short >= bound - value)
        terms.append(rows.weight(cluster, row) * short)
    return sum(terms)


def solved(model, objective):
    """(status, value): the least of `objective`, proven."""
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = SECONDS
    solver.parameters.num_workers = 8
    solver.parameters.random_seed = 1
    if objective is not None:
        model.minimize(objective)
    status = solver.solve(model)
    if status == cp_model.OPTIMAL or (objective is None and status == cp_model.FEASIBLE):
        return "optimal", solver
    if status == cp_model.INFEASIBLE:
        return "infeasible", None
    return "unknown", None


class AssignmentModel:
    def __init__(self, cluster, rows):
        self.cluster = cluster
        self.model = model = cp_model.CpModel()
        policy = cluster.policy
        classes = {}
        for pod in cluster.pods:
            if pod.places:
                classes.setdefault(pod.key, []).append(pod)
        self.classes = list(classes.values())
        self.load = loads(cluster)
        self.moves = [
            {i: model.new_int_var(0, len(pods), f"x{c}_{i}") for i in pods[0].places} for c, pods in enumerate(self.classes)
        ]
        leaving = [sum(columns.values()) for columns in self.moves]
        for c, pods in enumerate(self.classes):
            model.add(leaving[c] <= len(pods))
        for i in range(len(cluster.nodes)):
            for resource in ("cpu", "memory", "pods"):
                model.add(self.after(i, resource) <= ceiling(cluster, i, resource, self.load))
        self.apart()
        limits = policy["limits"]
        model.add(sum(leaving) <= limits["perPlan"])
        if "perNode" in limits:
            for node in cluster.nodes:
                model.add(sum(n for n, pods in zip(leaving, self.classes) if pods[0].node == node.name) <= limits["perNode"])
        self.shortfall = add_goals(model, cluster, rows, self.after)
        self.cost = sum(n * pods[0].cost(policy["objective"]) for n, pods in zip(leaving, self.classes))

    def after(self, i, resource):
        value = self.load[i][resource]
        for columns, pods in zip(self.moves, self.classes):
            each = pods[0].requests[resource]
            if i in columns:
                value = value + each * columns[i]
            if self.cluster.at[pods[0].node] == i:
                value = value - each * sum(columns.values())
        return value

    def apart(self):
        spread = {}
        for pod in self.cluster.pods:
            if pod.is_apart:
                spread.setdefault((pod.namespace, pod.kind, pod.workload_name), []).append(pod)
        for pods in spread.values():
            for i, node in enumerate(self.cluster.nodes):
                here = sum(1 for pod in pods if pod.node == node.name)
                for columns, members in zip(self.moves, self.classes):
                    if members[0] not in pods:
                        continue
                    if i in columns:
                        here = here + columns[i]
                    if members[0].node == node.name:
                        here = here - sum(columns.values())
                self.model.add(here <= 1)

    def best(self):
        status, solver = solved(self.model, self.shortfall)
        if status != "optimal":
            return status, None
        short = solver.value(self.shortfall) if not isinstance(self.shortfall, int) else 0
        self.model.add(self.shortfall <= short)
        status, solver = solved(self.model, self.cost)
        if status != "optimal":
            return status, None
        chosen = []
        for columns, pods in zip(self.moves, self.classes):
            left = list(pods)
            for i, column in columns.items():
                for _ in range(solver.value(column)):
                    chosen.append((left.pop(), i))
        return "optimal", (short, solver.value(self.cost) if not isinstance(self.cost, int) else 0, chosen)


def has_order(cluster, chosen, most_states=20000):
    """Whether the moves can be made one after the other, each with room at its time; None: not found within so many states."""
    start = loads(cluster)
    seen = set()
    stack = [frozenset()]
    while stack and len(seen) < most_states:
        done = stack.pop()
        if done in seen:
            continue
        seen.add(done)
        if len(done) == len(chosen):
            return True
        now = [dict(each) for each in start]
        where = {}
        for number in done:
            pod, i = chosen[number]
            where[pod.name] = i
            for resource, each in pod.requests.items():
                now[cluster.at[pod.node]][resource] -= each
                now[i][resource] += each
        for number, (pod, i) in enumerate(chosen):
            if number in done or any(now[i][r] + each > cluster.nodes[i].size[r] for r, each in pod.requests.items()):
                continue
            others = (p for p in cluster.pods if p is not pod and p.workload is pod.workload)
            if pod.is_apart and any(where.get(p.name, cluster.at[p.node]) == i for p in others):
                continue
            stack.append(done | {number})
    return False if not stack else None


class SequenceModel:
    """One move at a time: where each pod is after each step."""

    def __init__(self, cluster, rows, steps):
        self.model = model = cp_model.CpModel()
        policy = cluster.policy
        load = loads(cluster)
        movable = [pod for pod in cluster.pods if pod.places]
        at = []  # at[t][p][i]
        arrives = []
        for t in range(steps + 1):
            at.append([{i: model.new_bool_var(f"at{t}_{p}_{i}") for i in [cluster.at[pod.node], *pod.places]} for p, pod in enumerate(movable)])
            for p, pod in enumerate(movable):
                model.add_exactly_one(at[t][p].values())
                if t == 0:
                    model.add(at[0][p][cluster.at[pod.node]] == 1)
                else:
                    model.add(at[t][p][cluster.at[pod.node]] <= at[t - 1][p][cluster.at[pod.node]])
            if t == 0:
                arrives.append([])
                continue
            arrivals = []
            for p, pod in enumerate(movable):
                columns = {i: model.new_bool_var(f"to{t}_{p}_{i}") for i in pod.places}
                for i, column in columns.items():
                    model.add(column >= at[t][p][i] - at[t - 1][p][i])
                    model.add(column <= at[t][p][i])
                    model.add(column + at[t - 1][p][i] <= 1)
                arrivals.append(columns)
            arrives.append(arrivals)
            everything = [column for columns in arrivals for column in columns.values()]
            model.add_at_most_one(everything)
            if t > 1:
                # Idle steps come last.
                before = [column for columns in arrives[t - 1] for column in columns.values()]
                model.add(sum(everything) <= sum(before))
        for p in range(len(movable)):
            model.add(sum(column for t in range(1, steps + 1) for column in arrives[t][p].values()) <= 2)

        def load_at(t, i, resource):
            value = load[i][resource]
            for p, pod in enumerate(movable):
                each = pod.requests[resource]
                if cluster.at[pod.node] == i:
                    value = value - each * (1 - at[t][p][i])
                elif i in at[t][p]:
                    value = value + each * at[t][p][i]
            return value

        for t in range(1, steps + 1):
            for i, node in enumerate(cluster.nodes):
                for resource in ("cpu", "memory", "pods"):
                    over = max(0, load[i][resource] - node.size[resource])
                    arriving = sum(arrives[t][p][i] for p in range(len(movable)) if i in arrives[t][p])
                    model.add(load_at(t, i, resource) <= node.size[resource] + over * (1 - arriving))
                spread = {}
                for p, pod in enumerate(movable):
                    if pod.is_apart and i in at[t][p]:
                        spread.setdefault(pod.workload_name, []).append(at[t][p][i])
                for name, columns in spread.items():
                    fixed = sum(1 for pod in cluster.pods if not pod.places and pod.workload_name == name and pod.node == node.name)
                    model.add(sum(columns) + fixed <= 1)
        for i in range(len(cluster.nodes)):
            stays = [at[steps][p][i] for p, pod in enumerate(movable) if i in at[steps][p] and cluster.at[pod.node] != i]
            if stays:
                received = model.new_bool_var(f"received{i}")
                for each in stays:
                    model.add(each <= received)
                for resource in ("cpu", "memory", "pods"):
                    model.add(load_at(steps, i, resource) <= ceiling(cluster, i, resource, load)).only_enforce_if(received)
        every = [(pod, t, column) for t in range(1, steps + 1) for p, pod in enumerate(movable) for column in arrives[t][p].values()]
        model.add(sum(column for _, _, column in every) <= policy["limits"]["perPlan"])
        if "perNode" in policy["limits"]:
            for i in range(len(cluster.nodes)):
                leaves = []
                for t in range(1, steps + 1):
                    for p in range(len(movable)):
                        if i in at[t][p]:
                            left = model.new_bool_var("")
                            model.add(left >= at[t - 1][p][i] - at[t][p][i])
                            leaves.append(left)
                model.add(sum(leaves) <= policy["limits"]["perNode"])
        self.shortfall = add_goals(model, cluster, rows, lambda i, resource: load_at(steps, i, resource))
        self.cost = sum(pod.cost(policy["objective"]) * column for pod, _, column in every)

    def best(self, least_shortfall):
        self.model.add(self.shortfall >= least_shortfall)
        status, solver = solved(self.model, self.shortfall)
        if status != "optimal":
            return status, None
        short = solver.value(self.shortfall) if not isinstance(self.shortfall, int) else 0
        self.model.add(self.shortfall <= short)
        status, solver = solved(self.model, self.cost)
        return status, None if solver is None else (short, solver.value(self.cost))


def places(cluster):
    return sum(len(pod.places) + 1 for pod in cluster.pods if pod.places)


def short_sequence(cluster, rows, best):
    """The least cost of an order that misses the goals as little as the assignment: a longer one than all that were asked for costs more."""
    short, _, chosen = best
    cheapest = min(pod.cost(cluster.policy["objective"]) for pod in cluster.pods if pod.places)
    for steps in range(max(1, len(chosen)), len(chosen) + 5):
        if places(cluster) * steps > MOST_PLACES_OF_SHORT:
            return None
        question = SequenceModel(cluster, rows, steps)
        question.model.add(question.shortfall <= short)
        status, solver = solved(question.model, question.cost)
        if status == "unknown":
            return None
        if status == "optimal" and solver.value(question.cost) <= (steps + 1) * cheapest:
            return solver.value(question.cost)
    return None


def answer(dump):
    cluster = Cluster(dump)
    narrow = Rows(cluster, with_margin=False)
    if narrow.hold(cluster):
        nothing = {"shortfall": 0, "cost": 0}
        return {"status": "quiet", "assignment": nothing, "sequence": nothing}
    # A margin is kept where it can be; where it cannot, goals are judged without it.
    rows = Rows(cluster, with_margin=True)
    status, best = AssignmentModel(cluster, rows).best()
    has_margin = any(goal["margin"] > 0 for goal in cluster.policy["goals"])
    kind = "margins"
    if has_margin and (status == "infeasible" or (best is not None and best[0] > 0)):
        rows, kind = narrow, "bare"
        status, best = AssignmentModel(cluster, rows).best()
    if best is None:
        return {"status": status}
    short, cost, chosen = best
    result = {"status": "optimal", "goals": kind, "assignment": {"shortfall": float(Fraction(short, rows.scale)), "cost": cost}}
    if has_order(cluster, chosen):
        return result | {"sequence": result["assignment"]}
    found = short_sequence(cluster, rows, best)
    if found is not None:
        return result | {"sequence": {"shortfall": result["assignment"]["shortfall"], "cost": found}}
    steps = 2 * sum(1 for pod in cluster.pods if pod.places)
    if places(cluster) * steps > MOST_PLACES:
        return result | {"sequence": None}
    status, best = SequenceModel(cluster, rows, steps).best(short)
    if status == "infeasible":
        return result | {"sequence": "none"}
    if best is None:
        return result | {"sequence": None}
    return result | {"sequence": {"shortfall": float(Fraction(best[0], rows.scale)), "cost": best[1]}}


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        print(f"OR-tools CP-SAT {ortools.__version__}")
    else:
        for path in sys.argv[1:]:
            with open(path, encoding="utf-8") as file:
                print(json.dumps(answer(json.load(file))), flush=True)
