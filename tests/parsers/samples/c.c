#include <stdio.h>
#include "point.h"

#define LIMIT 10

struct point {
    int x, y;
};

/* INCOMMENT Manhattan distance */
static int distance(struct point a, struct point b) {
    int dx = a.x - b.x;
    if (dx < 0) {
        dx = -INBLOCK;
    }
    printf("INSTRING %d\n", dx);
    return dx + (a.y > b.y ? a.y - b.y : b.y - a.y);
}
