/** What a pointer does between its going down and its going up. */
import type { Screen } from "./screen";
import { type Area, type Step, type Stroke, rectangle } from "./strokes";
import { pan } from "./view";

export interface Point {
  clientX: number;
  clientY: number;
  pressure: number;
  pointerType: string;
}

export interface Gesture {
  move(points: readonly Point[]): void;
  /** What it adds to the drawing. */
  end(): Step | null;
}

export class Panning implements Gesture {
  constructor(
    private readonly screen: Screen,
    private last: Point,
  ) {}

  move(points: readonly Point[]): void {
    const next = points.at(-1)!;
    this.screen.show(pan(this.screen.view, next.clientX - this.last.clientX, next.clientY - this.last.clientY));
    this.last = next;
  }

  end(): null {
    return null;
  }
}

export class Stroking implements Gesture {
  constructor(
    private readonly screen: Screen,
    private readonly stroke: Stroke,
    start: Point,
  ) {
    this.add([start], 0);
  }

  move(points: readonly Point[]): void {
    this.add(points, this.stroke.points.length / 3);
  }

  private add(points: readonly Point[], from: number): void {
    for (const point of points) {
      const { x, y } = this.screen.at(point);
      // A mouse has no pressure; browsers say 0.5 for it.
      this.stroke.points.push(x, y, point.pointerType === "pen" ? Math.max(point.pressure, 0.05) : 1);
    }
    this.screen.grow(this.stroke, from);
  }

  end(): Step {
    return this.stroke;
  }
}

/** A lasso, or a rectangle between two corners. */
export class Surrounding implements Gesture {
  private readonly path: number[] = [];

  constructor(
    private readonly screen: Screen,
    private readonly area: Area,
    private readonly square: boolean,
    start: Point,
  ) {
    this.move([start]);
  }

  move(points: readonly Point[]): void {
    for (const point of points) {
      const { x, y } = this.screen.at(point);
      this.path.push(x, y);
    }
    this.screen.surround(this.corners());
  }

  private corners(): number[] {
    const { path } = this;
    return this.square ? rectangle(path[0]!, path[1]!, path.at(-2)!, path.at(-1)!) : path;
  }

  end(): Step | null {
    const points = this.corners();
    // A mere click surrounds nothing.
    return this.path.length < 4 ? null : { ...this.area, points };
  }
}
