#import <Foundation/Foundation.h>

@interface Cart : NSObject <Priced>
@property(nonatomic, strong) NSArray *items;
- (double)total;
@end

// INCOMMENT prices are net
@implementation Cart
- (double)total {
    double sum = 0;
    for (NSNumber *price in self.items) {
        sum += [price doubleValue] * inblock;
    }
    NSLog(@"INSTRING %f", sum);
    return sum;
}
@end
