// What one part of the growth measurement found: tables for people, figures and curves for programs. Plain data, because it
// goes from the part's process to the one that prints.
import type { Table } from './report.ts';

export interface Point {
  x: number;
  y: number;
}

export interface PartFindings {
  tables: Table[];
  figures: Record<string, number>;
  /** What is drawn, by name. */
  curves: Record<string, Point[]>;
  remarks: string[];
  faults: string[];
}

/** What every part gets to work with. */
export interface PartOptions {
  short: boolean;
  /** A data folder with ten million calls in it, or as many as there are; null: there is none. */
  tenMillionDir: string | null;
  /** Told what is being done, now and then. */
  say: (text: string) => void;
}

export class PartReport {
  readonly found: PartFindings = { tables: [], figures: {}, curves: {}, remarks: [], faults: [] };

  table(title: string, columns: string[], rows: string[][]): void {
    this.found.tables.push({ title, columns, rows });
  }

  figure(name: string, value: number): void {
    this.found.figures[name] = value;
  }

  point(curve: string, x: number, y: number): void {
    (this.found.curves[curve] ??= []).push({ x, y });
  }

  curve(name: string): Point[] {
    return this.found.curves[name] ?? [];
  }

  remark(text: string): void {
    this.found.remarks.push(text);
  }

  fault(when: boolean, text: string): void {
    if (when) this.found.faults.push(text);
  }
}

/** A number with thin groups of thousands, as the tables show large sizes. */
export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Three digits that matter. */
export const brief = (value: number): string =>
  Number.isNaN(value) ? 'n/a' : Math.abs(value) >= 1_000 ? whole(value) : `${Number(value.toPrecision(3))}`;
