// One symbol from its logits: the filters of decoding/filters.py and the rule of rng.draw, float64.
#pragma once

#include <vector>

#include "job.hpp"

namespace recurra {

// `never` goes first, then temperature, then top_k, then top_p.
struct Filters {
    const Index* never;  // ids that are not drawn
    Index never_count;
    double temperature;  // 0: the likeliest
    Index top_k;         // 0: all
    double top_p;        // 0: all
};

// Probabilities stay unnormalised: filters and draw compare shares of a total, for which the total
// need not be 1. Holds the memory of one run, used again at every symbol.
class Chooser {
public:
    explicit Chooser(Index symbols);

    // The symbol; `nats` becomes −ln p of it under logits (V,) as they are, without filters.
    Index draw(const float* logits, const Filters& filters, double uniform, double& nats);

    // −ln p(target) from logits (V,)
    double nats_of(const float* logits, Index target);

private:
    struct Ranked {
        float logit;
        Index id;
    };
    static bool likelier(const Ranked& a, const Ranked& b);
    static bool less_likely(const Ranked& a, const Ranked& b) { return likelier(b, a); }

    void weigh(const float* logits, double highest, double temperature);
    void only_likeliest(const float* logits, double highest);
    double rank(const float* logits);
    void keep_top_k(const float* logits, Index k);
    void keep_top_p(const float* logits, double p);
    Index inverse(double uniform) const;

    const Index symbols_;
    std::vector<double> weights_;  // unnormalised probabilities, 0 for what is filtered out
    std::vector<float> allowed_;   // logits, −∞ for `never`
    std::vector<Ranked> ranked_;   // what weighs more than nothing
};

}  // namespace recurra
