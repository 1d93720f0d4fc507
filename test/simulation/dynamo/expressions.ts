import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { compareNumbers } from "./numbers.ts";

export type Item = Record<string, AttributeValue>;

export interface Expressions {
  readonly names?: Readonly<Record<string, string>> | undefined;
  readonly values?: Readonly<Record<string, AttributeValue>> | undefined;
}

/** An expression that DynamoDB rejects, or that the model does not support because the ledger does not use it. */
export class ExpressionError extends Error {}

const TERM = /^(?:(attribute_not_exists|attribute_exists)\((\S+)\)|(\S+) (=|<|<=|>|>=) (:\w+))$/;
const BETWEEN = /^(\S+) BETWEEN (:\w+) AND (:\w+)$/;
/** Separates terms, but not the limits of BETWEEN. */
const AND = / AND (?!:)/;
const ALTERNATIVES = /^\((.+)\)$/;
const ASSIGNMENT = /^(\S+) = (:\w+)$/;

/**
 * Evaluates the expressions that the ledger uses: terms joined by AND, one level of terms joined by OR in brackets, SET with
 * plain assignments, and REMOVE. All others throw, so that a new kind of expression is never evaluated wrongly.
 */
export class Evaluator {
  readonly #expressions: Expressions;
  readonly #used = new Set<string>();

  constructor(expressions: Expressions) {
    this.#expressions = expressions;
  }

  holds(condition: string | undefined, item: Item | undefined): boolean {
    // Evaluates every term, because an invalid one is an error even behind a false one.
    return (condition?.split(AND) ?? []).map((term) => this.#termHolds(term, item)).every(Boolean);
  }

  update(update: string | undefined, item: Item): Item {
    const [, assignments, removals] = /^(?:SET (.+?))?(?:(?:^| )REMOVE (.+))?$/.exec(update ?? "") ?? [];
    if (!assignments && !removals) throw new ExpressionError(`The model knows no update ${update}`);
    const changed = { ...item };
    for (const path of removals?.split(", ") ?? []) {
      if (!path || /[. ]/.test(path)) throw new ExpressionError(`The model knows no removal ${path}`);
      delete changed[this.#name(path)];
    }
    for (const assignment of assignments?.split(", ") ?? []) {
      const [, path = "", placeholder = ""] = ASSIGNMENT.exec(assignment) ?? [];
      if (!path || path.includes(".")) throw new ExpressionError(`The model knows no assignment ${assignment}`);
      changed[this.#name(path)] = this.#value(placeholder);
    }
    return changed;
  }

  /** The value of `name = :value` in a key condition. */
  equals(condition: string | undefined, name: string): AttributeValue | undefined {
    for (const term of condition?.split(AND) ?? []) {
      const [, , , path = "", operator, placeholder = ""] = TERM.exec(term) ?? [];
      if (operator === "=" && this.#name(path) === name) return this.#value(placeholder);
    }
    return undefined;
  }

  /** @throws ExpressionError if no expression uses a given name or value */
  checkAllUsed(): void {
    const { names = {}, values = {} } = this.#expressions;
    const unused = [...Object.keys(names), ...Object.keys(values)].filter((key) => !this.#used.has(key));
    if (unused.length > 0) throw new ExpressionError(`Value or name unused in expressions: ${unused.join(", ")}`);
  }

  #termHolds(term: string, item: Item | undefined): boolean {
    const [, alternatives] = ALTERNATIVES.exec(term) ?? [];
    if (alternatives)
      return alternatives
        .split(" OR ")
        .map((each) => this.#termHolds(each, item))
        .some(Boolean);
    const [isBetween, between = "", first = "", last = ""] = BETWEEN.exec(term) ?? [];
    if (isBetween) return this.#isBetween(this.#at(between, item), this.#value(first), this.#value(last));
    const [, call, argument = "", path = "", operator, placeholder = ""] = TERM.exec(term) ?? [];
    if (call) return (this.#at(argument, item) === undefined) === (call === "attribute_not_exists");
    if (!operator) throw new ExpressionError(`The model knows no condition ${term}`);
    const expected = this.#value(placeholder);
    const actual = this.#at(path, item);
    if (actual === undefined) return false;
    const difference = compare(actual, expected);
    if (difference === undefined) return false;
    switch (operator) {
      case "=":
        return difference === 0;
      case "<":
        return difference < 0;
      case "<=":
        return difference <= 0;
      case ">":
        return difference > 0;
      default:
        return difference >= 0;
    }
  }

  #isBetween(actual: AttributeValue | undefined, first: AttributeValue, last: AttributeValue): boolean {
    if ((compare(first, last) ?? 1) > 0) throw new ExpressionError("The BETWEEN operator has an empty range");
    return actual !== undefined && (compare(first, actual) ?? 1) <= 0 && (compare(actual, last) ?? 1) <= 0;
  }

  #at(path: string, item: Item | undefined): AttributeValue | undefined {
    let value: AttributeValue | undefined = item && { M: item };
    for (const step of path.split(".")) {
      const [, part = "", index] = /^([^[]+)(?:\[(\d+)\])?$/.exec(step) ?? [];
      const name = this.#name(part);
      value = value?.M && Object.hasOwn(value.M, name) ? value.M[name] : undefined;
      if (index !== undefined) value = value?.L?.[Number(index)];
    }
    return value;
  }

  #name(part: string): string {
    if (!part.startsWith("#")) return part;
    const name = this.#expressions.names?.[part];
    if (name === undefined) throw new ExpressionError(`An expression attribute name is not defined: ${part}`);
    this.#used.add(part);
    return name;
  }

  #value(placeholder: string): AttributeValue {
    const value = this.#expressions.values?.[placeholder];
    if (value === undefined) throw new ExpressionError(`An expression attribute value is not defined: ${placeholder}`);
    this.#used.add(placeholder);
    return value;
  }
}

/** `undefined` for values of different types: every comparison of them is false. */
function compare(a: AttributeValue, b: AttributeValue): number | undefined {
  if (a.N !== undefined && b.N !== undefined) return compareNumbers(a.N, b.N);
  if (a.S !== undefined && b.S !== undefined) return compareTexts(a.S, b.S);
  if (a.BOOL !== undefined && b.BOOL !== undefined) return a.BOOL === b.BOOL ? 0 : undefined;
  return undefined;
}

/** The order of texts in DynamoDB: by their bytes in UTF-8. */
export function compareTexts(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
