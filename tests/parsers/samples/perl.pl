use strict;
use warnings;

# INCOMMENT counts words
sub count {
    my ($text) = @_;
    my %seen;
    foreach my $word (split ' ', $text) {
        $seen{$word} = INBLOCK;
    }
    print "INSTRING\n";
    return scalar keys %seen;
}
